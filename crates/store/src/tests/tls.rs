//! TLS to a database on the network: the certificate and the name are checked, and nothing is sent in the clear instead.

use super::embedded::Stray;
use super::unprivileged;
use crate::embedded::{Embedded, Settings};
use crate::{Endpoint, MigrateError, migrate};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

#[test]
fn the_certificate_and_the_name_are_checked() {
    unprivileged::run("tests::tls::the_certificate_and_the_name_are_checked", async || {
        let home = tempfile::tempdir().expect("a directory");
        Embedded::start(home.path(), Settings::default())
            .await
            .expect("a cluster")
            .stop()
            .await
            .expect("a clean stop");
        // The certificate is for this name only; the server listens on 127.0.0.1 and ::1 is not asked.
        write_certificate(home.path(), "server", "localhost");
        write_certificate(home.path(), "stranger", "localhost");
        let (server, port) = serve_tls(home.path());
        let url = |host: &str, ca: &str, mode: &str| {
            let ca = home.path().join(ca);
            let url = |user: &str| {
                let ca = ca.display();
                format!("postgres://{user}@{host}:{port}/congthu?sslmode={mode}&sslrootcert={ca}")
            };
            Endpoint::external(&url("congthu_server"), Some(&url("congthu_owner"))).expect("good URLs")
        };

        let good = url("localhost", "server.crt", "verify-full");
        assert!(!good.is_readable_on_the_way());
        migrated_when_up(&good).await;
        let stranger =
            migrate(&url("localhost", "stranger.crt", "verify-full")).await.expect_err("not its issuer");
        assert!(is_about_the_certificate(&stranger), "{stranger:?}");
        let other_name =
            migrate(&url("127.0.0.1", "server.crt", "verify-full")).await.expect_err("not its name");
        assert!(is_about_the_certificate(&other_name), "{other_name:?}");
        migrate(&url("127.0.0.1", "server.crt", "verify-ca")).await.expect("the name is not asked for");
        // The server's access rules name TLS only.
        migrate(&url("localhost", "server.crt", "disable")).await.expect_err("not in the clear");

        drop(server);
    });
}

fn is_about_the_certificate(error: &MigrateError) -> bool {
    matches!(error, MigrateError::Database(_)) && error.to_string().contains("invalid peer certificate")
}

/// Tries until the server has started.
async fn migrated_when_up(endpoint: &Endpoint) {
    let began = std::time::Instant::now();
    while let Err(error) = migrate(endpoint).await {
        assert!(began.elapsed().as_secs() < 60, "{error}");
        tokio::task::yield_now().await;
    }
}

fn write_certificate(home: &Path, file: &str, name: &str) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    fs::write(home.join(file).with_extension("crt"), made.cert.pem()).expect("written");
    let key = home.join(file).with_extension("key");
    fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("ours to change");
}

fn serve_tls(home: &Path) -> (Stray, u16) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    fs::write(home.join("hba"), "hostssl all all 127.0.0.1/32 trust\n").expect("written");
    let path = |name: &str| home.join(name).display().to_string();
    let data = home.join("postgres");
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        "ssl=on".to_owned(),
        format!("port={port}"),
        format!("hba_file={}", path("hba")),
        format!("ssl_cert_file={}", path("server.crt")),
        format!("ssl_key_file={}", path("server.key")),
    ];
    (Stray::start(&data, &settings), port)
}
