//! What programs read to set themselves up: mail programs the servers of a mailbox (Thunderbird's autoconfig, Outlook's
//! autodiscover), other mail servers how mail for a domain is to be sent here (MTA-STS, RFC 8461).
//!
//! Invariants: anybody may ask, so nothing is told but names and ports that everybody connects to, the same of every address and
//! domain, whether or not there is such a one; the database is not asked.

use crate::password_page::escaped;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use model::Address;
use std::fmt::Write as _;
use std::sync::Arc;

/// Outlook's question is a kilobyte.
const BODY_BYTES_MAX: usize = 16 * 1024;
const XML: &str = "text/xml; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
/// Of the form of the question that is answered.
const OUTLOOK: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// Where mail programs find the servers of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    /// The best first.
    pub imap: Vec<Server>,
    pub submission: Vec<Server>,
    /// How other servers are told to send mail here, if they are.
    pub mta_sts: Option<MtaSts>,
}

/// One port under TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
    /// From the first octet (RFC 8314 3), else by STARTTLS.
    pub implicit_tls: bool,
}

/// An MTA-STS policy (RFC 8461 3.2), the same for each domain that lets `mta-sts.DOMAIN` lead here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtaSts {
    /// `enforce`, `testing` or `none`.
    pub mode: &'static str,
    /// Names of mail servers, or patterns as `*.gov.vn`.
    pub hosts: Vec<String>,
    /// How long others may keep it, in seconds; at most 31,557,600.
    pub max_age: u32,
}

impl MtaSts {
    /// The document of RFC 8461 3.2.
    #[must_use]
    pub fn document(&self) -> String {
        let mut text = format!("version: STSv1\r\nmode: {}\r\n", self.mode);
        for host in &self.hosts {
            let _ = write!(text, "mx: {host}\r\n");
        }
        let _ = write!(text, "max_age: {}\r\n", self.max_age);
        text
    }
}

pub(crate) fn router(servers: Servers) -> Router {
    Router::new()
        .route("/.well-known/mta-sts.txt", get(mta_sts))
        .route("/mail/config-v1.1.xml", get(autoconfig))
        .route("/.well-known/autoconfig/mail/config-v1.1.xml", get(autoconfig))
        .route("/{directory}/{file}", post(autodiscover))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::new(servers))
}

/// Only of the name that a policy is asked of (RFC 8461 3.3): a page elsewhere on this host says nothing of it.
async fn mta_sts(State(servers): State<Arc<Servers>>, headers: HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_policy_host = host.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("mta-sts."));
    match servers.mta_sts.as_ref().filter(|_| is_policy_host) {
        Some(policy) => document(TEXT, policy.document()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn autoconfig(State(servers): State<Arc<Servers>>) -> Response {
    document(XML, autoconfig_document(&servers))
}

/// Outlook writes its path now in these letters, now in those.
async fn autodiscover(State(servers): State<Arc<Servers>>, uri: Uri, body: Bytes) -> Response {
    if !uri.path().eq_ignore_ascii_case("/autodiscover/autodiscover.xml") {
        return StatusCode::NOT_FOUND.into_response();
    }
    match asked_address(&body) {
        Some(address) => document(XML, autodiscover_document(&servers, &address)),
        None => document(XML, AUTODISCOVER_REFUSAL.to_owned()),
    }
}

fn document(content_type: &'static str, body: String) -> Response {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "max-age=3600")], body).into_response()
}

/// Mozilla's clientConfig 1.1. Programs put the address in place of `%EMAILADDRESS%` themselves, so it holds for whoever asks.
fn autoconfig_document(servers: &Servers) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n  <emailProvider id=\"%EMAILDOMAIN%\">\n    \
         <domain>%EMAILDOMAIN%</domain>\n    <displayName>%EMAILDOMAIN%</displayName>\n",
    );
    let doors = servers.imap.iter().map(|server| ("incomingServer", "imap", server));
    for (element, kind, server) in
        doors.chain(servers.submission.iter().map(|s| ("outgoingServer", "smtp", s)))
    {
        let socket = if server.implicit_tls { "SSL" } else { "STARTTLS" };
        let _ = write!(
            xml,
            "    <{element} type=\"{kind}\">\n      <hostname>{}</hostname>\n      <port>{}</port>\n      \
             <socketType>{socket}</socketType>\n      <authentication>password-cleartext</authentication>\n      \
             <username>%EMAILADDRESS%</username>\n    </{element}>\n",
            escaped(&server.host),
            server.port
        );
    }
    xml + "  </emailProvider>\n</clientConfig>\n"
}

/// Microsoft's “plain old XML” (MS-OXDSCLI 2.2.4): IMAP and SMTP of the address that was asked of.
fn autodiscover_document(servers: &Servers, address: &Address) -> String {
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\n\
         <Response xmlns=\"{OUTLOOK}\">\n<Account>\n<AccountType>email</AccountType>\n<Action>settings</Action>\n"
    );
    // It reads one of each kind.
    let first = |kind, servers: &[Server]| servers.first().map(|server| (kind, server.clone()));
    for (kind, server) in
        [first("IMAP", &servers.imap), first("SMTP", &servers.submission)].into_iter().flatten()
    {
        let encryption = if server.implicit_tls { "SSL" } else { "TLS" };
        let _ = write!(
            xml,
            "<Protocol>\n<Type>{kind}</Type>\n<Server>{}</Server>\n<Port>{}</Port>\n<LoginName>{}</LoginName>\n\
             <DomainRequired>off</DomainRequired>\n<SPA>off</SPA>\n<SSL>on</SSL>\n<Encryption>{encryption}</Encryption>\n\
             <AuthRequired>on</AuthRequired>\n</Protocol>\n",
            escaped(&server.host),
            server.port,
            escaped(&address.to_string())
        );
    }
    xml + "</Account>\n</Response>\n</Autodiscover>\n"
}

const AUTODISCOVER_REFUSAL: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
    <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\n<Response>\n\
    <Error Time=\"00:00:00\" Id=\"0\">\n<ErrorCode>600</ErrorCode>\n<Message>Invalid Request</Message>\n<DebugData />\n</Error>\n\
    </Response>\n</Autodiscover>\n";

/// What stands in the first `EMailAddress` element, if that is an address. The question has no other that matters, so nothing
/// else of it is read.
fn asked_address(body: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<EMailAddress>")?;
    let (address, _) = rest.split_once("</EMailAddress>")?;
    address.trim().parse().ok()
}

#[cfg(test)]
#[path = "set_up_tests.rs"]
mod tests;
