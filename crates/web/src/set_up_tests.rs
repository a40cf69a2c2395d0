//! Documents as programs read them.

use super::*;
use axum::body::to_bytes;

fn servers() -> Servers {
    let server = |port, implicit_tls| Server { host: "mail.a.vn".to_owned(), port, implicit_tls };
    Servers {
        imap: vec![server(993, true), server(143, false)],
        submission: vec![server(465, true), server(587, false)],
        mta_sts: Some(MtaSts {
            mode: "enforce",
            hosts: vec!["mail.a.vn".into(), "*.b.vn".into()],
            max_age: 604_800,
        }),
    }
}

async fn text(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn policy_of(host: &str, servers: Servers) -> (StatusCode, String) {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, host.parse().unwrap());
    text(mta_sts(State(Arc::new(servers)), headers).await).await
}

#[tokio::test]
async fn a_policy_is_told_of_its_own_name_alone() {
    let (status, policy) = policy_of("MTA-STS.demo.gov.vn", servers()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        policy,
        "version: STSv1\r\nmode: enforce\r\nmx: mail.a.vn\r\nmx: *.b.vn\r\nmax_age: 604800\r\n"
    );
    for host in ["mail.demo.gov.vn", "mta-sts", "", "mta-sts\u{e9}.vn"] {
        assert_eq!(policy_of(host, servers()).await.0, StatusCode::NOT_FOUND, "{host}");
    }
    let silent = Servers { mta_sts: None, ..servers() };
    assert_eq!(policy_of("mta-sts.demo.gov.vn", silent).await.0, StatusCode::NOT_FOUND);
}

#[test]
fn autoconfig_names_each_port_the_best_first() {
    let xml = autoconfig_document(&servers());
    let at = |what: &str| xml.find(what).unwrap_or_else(|| panic!("{what} in {xml}"));
    assert!(
        at("<port>993</port>\n      <socketType>SSL<") < at("<port>143</port>\n      <socketType>STARTTLS<")
    );
    assert!(at("<outgoingServer type=\"smtp\">") < at("<port>465</port>\n      <socketType>SSL<"));
    assert!(at("<port>465</port>") < at("<port>587</port>\n      <socketType>STARTTLS<"));
    assert_eq!(xml.matches("<username>%EMAILADDRESS%</username>").count(), 4);
    assert_eq!(xml.matches("<hostname>mail.a.vn</hostname>").count(), 4);
}

fn question(address: &str) -> Bytes {
    Bytes::from(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover><Request><EMailAddress>{address}</EMailAddress>\
         <AcceptableResponseSchema>{OUTLOOK}</AcceptableResponseSchema></Request></Autodiscover>"
    ))
}

async fn asked(path: &str, body: Bytes) -> (StatusCode, String) {
    text(autodiscover(State(Arc::new(servers())), path.parse().unwrap(), body).await).await
}

#[tokio::test]
async fn outlook_is_told_one_server_of_each_kind() {
    let told = |body| async { asked("/AutoDiscover/autodiscover.xml", body).await.1 };
    let answer = told(question("An@demo.gov.vn")).await;
    assert_eq!(answer.matches("<Protocol>").count(), 2);
    assert_eq!(answer.matches("<LoginName>an@demo.gov.vn</LoginName>").count(), 2);
    assert!(answer.contains("<Type>IMAP</Type>\n<Server>mail.a.vn</Server>\n<Port>993</Port>"), "{answer}");
    assert!(answer.contains("<Type>SMTP</Type>\n<Server>mail.a.vn</Server>\n<Port>465</Port>"), "{answer}");
    for wrong in ["", "an", "an@", "a\u{0}@b.vn"] {
        let answer = told(question(wrong)).await;
        assert!(answer.contains("<ErrorCode>600</ErrorCode>") && !answer.contains("<Protocol>"), "{answer}");
    }
    assert_eq!(asked("/a/b", question("an@demo.gov.vn")).await.0, StatusCode::NOT_FOUND);
    assert!(told(Bytes::from_static(b"\xff<EMailAddress>")).await.contains("<ErrorCode>600<"));
}

#[tokio::test]
async fn what_was_asked_is_text_in_the_answer() {
    let body = question("a&quot;</LoginName><Server>evil@b.vn");
    let (_, answer) = asked("/autodiscover/autodiscover.xml", body).await;
    assert!(!answer.contains("<Server>evil"), "{answer}");
}
