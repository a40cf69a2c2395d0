//! `/mat-khau`: where people change their passwords (B2). Server-rendered, without JavaScript, Vietnamese first.
//!
//! Invariants: served under TLS only; nothing is kept between two requests (no cookie, no session), and every request brings
//! the present password, so a page elsewhere has nothing to abuse, and is refused besides; what somebody typed is escaped
//! where it is shown again, passwords are never shown; whoever guesses is slowed down by the engine as at any log-in.

use crate::metrics::Peer;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use engine::{ChangeError, Engine, LoginError, Origin, Protocol};
use model::password_rules::Rules;
use std::fmt::Write as _;

const PATH: &str = "/mat-khau";
const STYLE_PATH: &str = "/mat-khau.css";
/// Four fields of 1,024 octets, each octet as three.
const BODY_BYTES_MAX: usize = 16 * 1024;
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const STYLE: &str = include_str!("password_page.css");
/// Nothing but our own style sheet, and forms to ourselves.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(crate) fn router(engine: Engine) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to(PATH) }))
        .route(PATH, get(form).post(change))
        .route(STYLE_PATH, get(|| async { page(StatusCode::OK, CSS, STYLE.to_owned()) }))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(engine)
}

fn page(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // With "no-referrer", browsers would not say which page a form came from either.
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}

async fn form(State(engine): State<Engine>) -> Response {
    let rules = engine.strictest_password_rules();
    page(StatusCode::OK, HTML, render(&rules, "", &[]))
}

/// What was typed.
#[derive(Default)]
struct Fields {
    address: String,
    present: String,
    new: String,
    again: String,
}

impl Fields {
    fn read(body: &[u8]) -> Self {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let field = match &*name {
                "dia-chi" => &mut fields.address,
                "mat-khau" => &mut fields.present,
                "mat-khau-moi" => &mut fields.new,
                "nhap-lai" => &mut fields.again,
                _ => continue,
            };
            *field = value.into_owned();
        }
        fields.address = fields.address.trim().to_owned();
        fields
    }
}

async fn change(
    State(engine): State<Engine>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let rules = engine.strictest_password_rules();
    if !is_our_page(&headers) {
        let wrong =
            message("Yêu cầu đến từ một trang khác và bị từ chối.", "The request came from another page.");
        return page(StatusCode::FORBIDDEN, HTML, render(&rules, "", &[wrong]));
    }
    let fields = Fields::read(&body);
    if fields.new != fields.again {
        let wrong = message("Hai lần nhập mật khẩu mới không giống nhau.", "The two new passwords differ.");
        return page(StatusCode::UNPROCESSABLE_ENTITY, HTML, render(&rules, &fields.address, &[wrong]));
    }
    let origin = Origin { trace: engine.new_trace(), remote: peer, protocol: Protocol::Http };
    match engine.change_password(&fields.address, &fields.present, &fields.new, &origin).await {
        Ok(()) => page(StatusCode::OK, HTML, done(&fields.address)),
        Err(error) => {
            let (status, wrong) = refusal(&error);
            page(status, HTML, render(&rules, &fields.address, &wrong))
        }
    }
}

/// Browsers say where a form came from (Fetch Metadata, Origin); programs like curl say nothing, and nobody is logged in
/// there whose rights another page could use.
fn is_our_page(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site = text(&SEC_FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
    let host = text(&HOST).unwrap_or_default();
    let from_us = |origin: &str| origin.strip_prefix("https://").is_some_and(|from| from == host);
    site && text(&ORIGIN).is_none_or(from_us)
}

/// Vietnamese, and English.
type Message = (String, String);

fn message(vietnamese: &str, english: &str) -> Message {
    (vietnamese.to_owned(), english.to_owned())
}

fn refusal(error: &ChangeError) -> (StatusCode, Vec<Message>) {
    let login = |status, vietnamese: &str, english: &str| (status, vec![message(vietnamese, english)]);
    match error {
        ChangeError::Flaws(flaws) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            flaws.iter().map(|flaw| (flaw.vietnamese(), flaw.english())).collect(),
        ),
        // Who is kept out whatever his password hears what others hear of a wrong one.
        ChangeError::LogIn(
            LoginError::Denied
            | LoginError::CountryNotAllowed
            | LoginError::CloudNotAllowed
            | LoginError::PasswordChangeRequired,
        ) => login(
            StatusCode::FORBIDDEN,
            "Địa chỉ hoặc mật khẩu hiện tại không đúng.",
            "Wrong address or password.",
        ),
        ChangeError::LogIn(LoginError::Locked) => login(
            StatusCode::FORBIDDEN,
            "Hộp thư đang tạm khóa; đề nghị đơn vị làm thủ tục khôi phục.",
            "The mailbox is locked; your organisation can ask for its restoration.",
        ),
        ChangeError::LogIn(LoginError::OneTimePasswordOver) => login(
            StatusCode::FORBIDDEN,
            "Mật khẩu cấp một lần đã hết hiệu lực; đề nghị cấp lại mật khẩu.",
            "The one-time password is over; ask for a new one.",
        ),
        ChangeError::LogIn(LoginError::TooManyAttempts) => login(
            StatusCode::TOO_MANY_REQUESTS,
            "Nhập sai quá nhiều lần; hãy thử lại sau ít phút.",
            "Too many failed attempts; try again in some minutes.",
        ),
        ChangeError::LogIn(LoginError::Unavailable) => login(
            StatusCode::SERVICE_UNAVAILABLE,
            "Hệ thống đang bận; hãy thử lại sau.",
            "The system is not available; try again later.",
        ),
    }
}

/// As text of HTML or XML, in an attribute too.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn document(title: &str, content: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"vi\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"{STYLE_PATH}\">\n</head>\n<body>\n<main>\n{content}</main>\n</body>\n</html>\n"
    )
}

fn render(rules: &Rules, address: &str, wrong: &[Message]) -> String {
    let mut content =
        String::from("<h1>Đổi mật khẩu hộp thư</h1>\n<p lang=\"en\">Change the password of a mailbox</p>\n");
    if !wrong.is_empty() {
        content.push_str("<div role=\"alert\">\n<p>Mật khẩu chưa được đổi.</p>\n<ul>\n");
        for (vietnamese, english) in wrong {
            let _ = writeln!(
                content,
                "<li>{} <span lang=\"en\">{}</span></li>",
                escaped(vietnamese),
                escaped(english)
            );
        }
        content.push_str("</ul>\n</div>\n");
    }
    let _ = writeln!(content, "<form method=\"post\" action=\"{PATH}\">");
    let address = escaped(address);
    for (name, label, english, kind, rest) in [
        ("dia-chi", "Địa chỉ thư điện tử", "Address", "email", format!("username\" value=\"{address}")),
        ("mat-khau", "Mật khẩu hiện tại", "Present password", "password", "current-password".to_owned()),
        ("mat-khau-moi", "Mật khẩu mới", "New password", "password", "new-password".to_owned()),
        ("nhap-lai", "Nhập lại mật khẩu mới", "New password again", "password", "new-password".to_owned()),
    ] {
        let _ = write!(
            content,
            "<p><label for=\"{name}\">{label} <span lang=\"en\">{english}</span></label>\n\
             <input id=\"{name}\" name=\"{name}\" type=\"{kind}\" required autocomplete=\"{rest}\"></p>\n"
        );
    }
    content.push_str(
        "<p><button type=\"submit\">Đổi mật khẩu <span lang=\"en\">Change</span></button></p>\n</form>\n",
    );
    content.push_str("<h2>Mật khẩu mới phải</h2>\n<ul>\n");
    for rule in rules.vietnamese() {
        let _ = writeln!(content, "<li>{}</li>", escaped(&rule));
    }
    content.push_str("</ul>\n");
    document("Đổi mật khẩu", &content)
}

fn done(address: &str) -> String {
    let content = format!(
        "<h1>Đã đổi mật khẩu</h1>\n<p>Mật khẩu của <strong>{}</strong> đã được đổi. Hãy nhập mật khẩu mới trong chương trình \
         thư và trên điện thoại của bạn.</p>\n<p lang=\"en\">The password was changed. Enter the new one in your mail \
         program and on your telephone.</p>\n",
        escaped(address)
    );
    document("Đã đổi mật khẩu", &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_page_may_send_the_form() {
        let from = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("host", "mail.demo.gov.vn:8443")].iter().chain(pairs) {
                headers.insert(*name, value.parse().unwrap());
            }
            is_our_page(&headers)
        };
        assert!(from(&[]), "curl");
        assert!(from(&[("origin", "https://mail.demo.gov.vn:8443")]));
        assert!(from(&[("sec-fetch-site", "same-origin"), ("origin", "https://mail.demo.gov.vn:8443")]));
        for wrong in [
            [("sec-fetch-site", "cross-site")],
            [("sec-fetch-site", "same-site")],
            [("origin", "null")],
            [("origin", "https://evil.example")],
            [("origin", "https://mail.demo.gov.vn")],
            [("origin", "http://mail.demo.gov.vn:8443")],
        ] {
            assert!(!from(&wrong), "{wrong:?}");
        }
    }

    #[test]
    fn whoever_is_kept_out_reads_what_a_wrong_password_does() {
        let of = |error| refusal(&ChangeError::LogIn(error));
        for error in LoginError::ALL.into_iter().filter(|error| error.is_hidden()) {
            assert_eq!(of(error), of(LoginError::Denied), "{error}");
        }
    }

    #[test]
    fn what_was_typed_is_shown_as_text_and_passwords_not_at_all() {
        let body =
            b"dia-chi=%3Cscript%3E%22a%40b.vn&mat-khau=bi+mat&mat-khau-moi=Kh%C3%B3a&nhap-lai=Kh%C3%B3a&x=1";
        let fields = Fields::read(body);
        assert_eq!((fields.present.as_str(), fields.new.as_str()), ("bi mat", "Khóa"));
        let shown = render(&Rules::default(), &fields.address, &[message("<b>", "&")]);
        assert!(shown.contains("&lt;script&gt;&quot;a@b.vn") && shown.contains("&lt;b&gt;"));
        assert!(!shown.contains("<script") && !shown.contains("bi mat") && !shown.contains("Khóa"));
    }
}
