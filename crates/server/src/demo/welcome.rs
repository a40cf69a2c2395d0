//! The message that every new mailbox of the demo finds.

use anyhow::{Result, anyhow};
use engine::{Arrival, DeliverError, Engine, Origin, Protocol, Sender};
use jiff::tz::TimeZone;
use model::Address;
use std::net::Ipv4Addr;

/// "Công Thư" and "Chào mừng đến với Công Thư" as encoded words (RFC 2047 2: at most 75 characters each).
const FROM_NAME: &str = "=?UTF-8?Q?C=C3=B4ng_Th=C6=B0?=";
const SUBJECT: &str =
    "=?UTF-8?Q?Ch=C3=A0o_m=E1=BB=ABng_=C4=91=E1=BA=BFn_v=E1=BB=9Bi?=\r\n =?UTF-8?Q?_C=C3=B4ng_Th=C6=B0?=";
const BODY: &str = "Kính gửi Ông/Bà,\r\n\r\n\
    Hộp thư này đã sẵn sàng. Đây là bản dùng thử của Công Thư, hệ thống thư điện tử của tỉnh.\r\n\
    Mọi thư trong hộp thư được giữ lại khi khởi động lại máy chủ.\r\n\r\n\
    Trân trọng,\r\nQuản trị thư điện tử\r\n";

/// Delivers the welcome to `owner`, from `from`.
///
/// # Errors
/// When the mail store does not take it.
pub(super) async fn send(engine: &Engine, from: &Address, owner: &Address) -> Result<()> {
    let refused = |error| anyhow!("the mailbox {owner} does not take its welcome: {error:?}");
    let recipient = engine.recipient(owner).await.map_err(refused)?;
    let mut spool = engine.new_spool();
    spool.write(message(engine, from, owner)?.as_bytes()).await?;
    let origin =
        Origin { trace: engine.new_trace(), remote: Ipv4Addr::LOCALHOST.into(), protocol: Protocol::Console };
    let arrival = Arrival {
        origin,
        helo: "localhost".to_owned(),
        with: "LMTP",
        tls: None,
        sender: Some(Sender::from(from)),
        principal: None,
        wishes: engine::Wishes::default(),
        examined: None,
    };
    match engine.deliver(&arrival, &[recipient], spool).await {
        // Scanners that the named file has and that do not answer: there is a demo, without a welcome.
        Err(error @ (DeliverError::NotScanned | DeliverError::PutOff)) => {
            tracing::warn!(mailbox = %owner, %error, "a mailbox of the demo has no welcome");
            Ok(())
        }
        delivered => Ok(delivered.map(drop)?),
    }
}

fn message(engine: &Engine, from: &Address, owner: &Address) -> Result<String> {
    let zone = TimeZone::get("Asia/Ho_Chi_Minh")?;
    let date = jiff::fmt::rfc2822::to_string(&engine.now().to_zoned(zone))?;
    Ok(format!(
        "From: {FROM_NAME} <{from}>\r\nTo: <{owner}>\r\nSubject: {SUBJECT}\r\nDate: {date}\r\n\
         Message-ID: <welcome.{trace}@{host}>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{BODY}",
        trace = engine.new_trace(),
        host = engine.hostname(),
    ))
}
