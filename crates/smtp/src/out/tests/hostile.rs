//! Servers that mean harm, or nothing at all: each is done with in bounded time and memory.

use super::world::{Zone, run};
use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Speaks by `speak` and tells how a connection there ends. Time is real, and short.
async fn against<F>(speak: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = std::io::Result<()>> + Send,
{
    let socket = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let _serving = run(async move {
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            let _ended = speak(stream).await;
        }
    });
    let (resolver, _dns) = Zone::default().at("b.vn", "127.0.0.2").serve().await;
    let mut settings = settings(port);
    let limits = &mut settings.limits;
    (limits.greeting, limits.command, limits.end, limits.write) = (SHORT, SHORT, SHORT, SHORT);
    (limits.opening, limits.transaction) = (SHORT * 5, SHORT * 5);
    let carrier = carrier(settings, resolver);
    let whole = async {
        match carrier.open("b.vn").await {
            Err(NoWay::Later(answer)) => format!("later {}: {}", told_of(&answer), answer.text),
            Err(NoWay::Never(answer)) => format!("never {}: {}", told_of(&answer), answer.text),
            Ok(mut connection) => {
                let large = Envelope { size: 40 << 20, ..envelope(&["x@b.vn"]) };
                static BLOCK: [u8; 1 << 20] = [b'x'; 1 << 20];
                told(&connection.send(&large, pieces(&[&BLOCK[..]; 40])).await.outcomes)
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), whole).await.expect("a hostile server holds us")
}

#[tokio::test]
async fn a_greeting_without_end() {
    let told = against(async |mut stream: TcpStream| {
        loop {
            stream.write_all(&[b'2'; 4096]).await?;
        }
    });
    assert!(told.await.starts_with("later - 4.5.0"));
    let told = against(async |mut stream: TcpStream| {
        loop {
            stream.write_all(b"220-hello\r\n").await?;
        }
    });
    assert!(told.await.ends_with("does not stop speaking"));
    let told = against(async |mut stream: TcpStream| {
        for _ in 0..100_000 {
            stream.write_all(b"220-").await?;
            tokio::time::sleep(SHORT / 10).await;
        }
        Ok(())
    });
    assert!(told.await.ends_with("does not greet"));
}

#[tokio::test]
async fn no_greeting_at_all() {
    let silent = against(async |stream: TcpStream| {
        std::future::pending::<()>().await;
        drop(stream);
        Ok(())
    });
    assert!(silent.await.ends_with("does not greet"));
    let closed = against(async |stream: TcpStream| {
        drop(stream);
        Ok(())
    });
    assert!(closed.await.starts_with("later - 4.4.2"));
    let other =
        against(async |mut stream: TcpStream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
    assert!(other.await.ends_with("does not speak SMTP"));
    let binary = against(async |mut stream: TcpStream| stream.write_all(&[0, 255, 10, 13, 7, 10]).await);
    assert!(binary.await.ends_with("does not speak SMTP"));
    let refused = against(async |mut stream: TcpStream| stream.write_all(b"554 5.7.1 go away\r\n").await);
    assert_eq!(refused.await, "later 554 4.7.1: go away");
    let never = against(async |mut stream: TcpStream| stream.write_all(b"521 no mail here\r\n").await);
    assert_eq!(never.await, "never 521 5.3.2: no mail here");
    let ourselves = against(async |mut stream: TcpStream| {
        stream.write_all(b"220 Thu.A.vn ESMTP\r\n250 thu.a.vn\r\n").await?;
        stream.read_u8().await?;
        std::future::pending().await
    });
    assert!(ourselves.await.starts_with("later - 4.4.6"));
}

/// Speaks well until the content comes.
async fn until_content(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"220 x\r\n").await?;
    let mut buffer = [0; 4096];
    for reply in ["250 x\r\n", "250 x\r\n", "250 x\r\n", "354 go\r\n"] {
        let read = stream.read(&mut buffer).await?;
        assert!(read > 0);
        stream.write_all(reply.as_bytes()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_midst_of_content() {
    let dropped = against(async |mut stream: TcpStream| {
        until_content(&mut stream).await?;
        stream.read_exact(&mut [0; 100_000]).await?;
        Ok(())
    });
    assert_eq!(dropped.await, "deferred - 4.4.2");
    let unread = against(async |mut stream: TcpStream| {
        until_content(&mut stream).await?;
        std::future::pending().await
    });
    assert_eq!(unread.await, "deferred - 4.4.2");
    let flooding = against(async |mut stream: TcpStream| {
        until_content(&mut stream).await?;
        let (mut read, mut write) = stream.split();
        let swallow = async { tokio::io::copy(&mut read, &mut tokio::io::sink()).await.map(|_| ()) };
        let flood = async {
            loop {
                write.write_all(&[b'x'; 4096]).await?;
            }
        };
        tokio::select! { ended = swallow => ended, ended = flood => ended }
    });
    // What is not asked for is read when the answer is due, and is none.
    assert_eq!(flooding.await, "deferred - 4.5.0");
    let early = against(async |mut stream: TcpStream| {
        until_content(&mut stream).await?;
        stream.read_exact(&mut [0; 100_000]).await?;
        stream.write_all(b"552 5.3.4 enough\r\n").await?;
        // Reads on, so that the word is not lost to a reset.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(|_| ())
    });
    assert_eq!(early.await, "failed 552 5.3.4");
}
