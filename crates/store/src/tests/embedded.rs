//! The embedded Postgres, for real: made, restarted, refused twice, killed, left behind.

use super::unprivileged;
use crate::embedded::{Embedded, EmbeddedError, Settings, attach};
use crate::{Endpoint, MigrationReport};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::Executor as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for something that takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
const POOL_SIZE: u32 = 4;

async fn start(data_dir: &Path) -> Result<Embedded, EmbeddedError> {
    Embedded::start(data_dir, Settings { programs: None, pool_size: POOL_SIZE }).await
}

async fn migrate(endpoint: &Endpoint) -> MigrationReport {
    crate::migrate(endpoint).await.expect("an embedded database can be migrated")
}

/// The number of the postmaster, read as an operator would.
fn postmaster(data_dir: &Path) -> i32 {
    let text = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).expect("a running postmaster");
    text.lines().next().expect("a line").parse().expect("a number")
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).expect("a number"), Signal::KILL).expect("our own process");
}

fn is_alive(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).expect("a number")).is_ok()
}

/// Polls: what is waited for happens in other processes, which send no word.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_cluster_is_made_kept_and_stopped() {
    unprivileged::run("tests::embedded::a_cluster_is_made_kept_and_stopped", async || {
        let home = tempfile::tempdir().expect("a directory");
        // What a kill in the middle of initdb leaves.
        fs::create_dir_all(home.path().join("postgres.new.0/base")).expect("made");

        let first = start(home.path()).await.expect("a first start");
        let report = migrate(first.endpoint()).await;
        assert!(report.version >= 2 && report.applied.first() == Some(&"roles"), "{report:?}");
        let pools = crate::connect(first.endpoint(), POOL_SIZE).await.expect("pools");
        let (user, durable): (String, String) =
            sqlx::query_as("select current_user::text, current_setting('synchronous_commit')")
                .fetch_one(&pools.main)
                .await
                .expect("an answer");
        assert_eq!((user.as_str(), durable.as_str()), ("congthu_server", "on"));
        let checksums: String =
            sqlx::query_scalar("show data_checksums").fetch_one(&pools.chunks).await.expect("an answer");
        assert_eq!(checksums, "on");
        pools.main.execute("create table x ()").await.expect_err("the server may not make tables");
        let timeline: i32 = sqlx::query_scalar("select timeline_id from pg_control_checkpoint()")
            .fetch_one(&pools.main)
            .await
            .expect("the server may ask for the timeline");
        assert_eq!(timeline, 1);
        sqlx::query("insert into domains (name, profile, created_at) values ('a.vn', 'an-giang', now())")
            .execute(&pools.main)
            .await
            .expect("the server may write rows");
        pools.close().await;
        first.stop().await.expect("a clean stop");
        assert!(!home.path().join("postgres/postmaster.pid").exists(), "it was stopped cleanly");
        assert!(!home.path().join("postgres.new.0").exists(), "the unfinished cluster is gone");
        assert!(attach(home.path()).is_none(), "nothing runs");

        let second = start(home.path()).await.expect("a second start");
        assert_eq!(migrate(second.endpoint()).await.applied, Vec::<&str>::new());
        let pools = crate::connect(second.endpoint(), POOL_SIZE).await.expect("pools");
        let kept: i64 = sqlx::query_scalar("select count(*) from domains")
            .fetch_one(&pools.main)
            .await
            .expect("an answer");
        assert_eq!(kept, 1);
        pools.close().await;
        second.stop().await.expect("a clean stop");
    });
}

#[test]
fn a_start_that_is_told_to_stop_leaves_nothing_running() {
    unprivileged::run("tests::embedded::a_start_that_is_told_to_stop_leaves_nothing_running", async || {
        let home = tempfile::tempdir().expect("a directory");
        let settings = || Settings { programs: None, pool_size: POOL_SIZE };
        let at_once = Embedded::start_unless(home.path(), settings(), std::future::ready(())).await;
        assert!(matches!(at_once, Err(EmbeddedError::Cancelled)), "{at_once:?}");
        start(home.path()).await.expect("the lock is free").stop().await.expect("a clean stop");

        // A postmaster that is alive but never ready: a start that waits for it has to end it.
        let local = home.path().join("postgres/local.conf");
        fs::write(&local, "unix_socket_directories = '/tmp'\nport = 47311\n").expect("written");
        let alive = async {
            let file = home.path().join("postgres/postmaster.pid");
            eventually("a postmaster", async || file.exists()).await;
        };
        let stopped = Embedded::start_unless(home.path(), settings(), alive).await;
        assert!(matches!(stopped, Err(EmbeddedError::Cancelled)), "{stopped:?}");
        assert!(!home.path().join("postgres/postmaster.pid").exists(), "it was stopped cleanly");
    });
}

#[test]
fn a_second_owner_is_refused_and_may_attach() {
    unprivileged::run("tests::embedded::a_second_owner_is_refused_and_may_attach", async || {
        let home = tempfile::tempdir().expect("a directory");
        // Too long for a socket: the fallback is tried in the same go.
        let data_dir = home.path().join("đ".repeat(60));
        let owner = start(&data_dir).await.expect("a first start");
        let refusal = start(&data_dir).await.expect_err("it is in use").to_string();
        assert!(refusal.contains("in use by another congthu (process id"), "{refusal}");
        migrate(owner.endpoint()).await;
        let endpoint = attach(&data_dir).expect("a running cluster");
        let pools = crate::connect(&endpoint, POOL_SIZE).await.expect("pools");
        pools.close().await;
        let sockets = fs::read_to_string(data_dir.join("run/socket-directory")).expect("noted");
        owner.stop().await.expect("a clean stop");
        fs::remove_dir(sockets).expect("empty");
    });
}

#[test]
fn a_killed_postmaster_is_started_again() {
    unprivileged::run("tests::embedded::a_killed_postmaster_is_started_again", async || {
        let home = tempfile::tempdir().expect("a directory");
        let embedded = start(home.path()).await.expect("a start");
        migrate(embedded.endpoint()).await;
        let pools = crate::connect(embedded.endpoint(), POOL_SIZE).await.expect("pools");
        // A backend at work does not notice that its postmaster is gone until the statement ends.
        let busy = pools.main.clone();
        let mut busy = busy.acquire().await.expect("a connection");
        let (_, _) = tokio::join!(
            async { busy.execute("select count(*) from generate_series(1, 3000000)").await.map(|_| ()) },
            async { kill(postmaster(home.path())) },
        );
        drop(busy);
        eventually("the pools reach the new postmaster", async || {
            pools.main.execute("select 1").await.is_ok() && embedded.restarts() > 0
        })
        .await;
        assert_eq!(embedded.restarts(), 1);
        sqlx::query("insert into domains (name, profile, created_at) values ('a.vn', 'an-giang', now())")
            .execute(&pools.main)
            .await
            .expect("it works again");
        pools.close().await;
        embedded.stop().await.expect("a clean stop");
    });
}

#[test]
fn a_killed_congthu_leaves_nothing_that_stops_the_next() {
    unprivileged::run("tests::embedded::a_killed_congthu_leaves_nothing_that_stops_the_next", async || {
        let home = tempfile::tempdir().expect("a directory");
        for round in 0..3 {
            let mut owner = Owner::start(home.path());
            let postgres = postmaster(home.path());
            assert!(is_alive(postgres));
            if round == 2 {
                // Both at once, as when a machine's memory is exhausted.
                kill(postgres);
            }
            owner.kill();
            let next = start(home.path()).await.expect("the next start copes");
            assert_ne!(postmaster(home.path()), postgres);
            migrate(next.endpoint()).await;
            next.stop().await.expect("a clean stop");
        }
    });
}

#[test]
fn a_kill_while_the_cluster_is_made_is_survived() {
    unprivileged::run("tests::embedded::a_kill_while_the_cluster_is_made_is_survived", async || {
        let home = tempfile::tempdir().expect("a directory");
        let mut owner = Owner::begin(home.path());
        let draft = home.path().join(format!("postgres.new.{}", owner.child.id()));
        eventually("initdb is at work", async || draft.join("global").exists()).await;
        owner.kill();
        assert!(!home.path().join("postgres").exists(), "nothing half-made has the name");
        let next = start(home.path()).await.expect("the next start copes");
        migrate(next.endpoint()).await;
        next.stop().await.expect("a clean stop");
    });
}

#[test]
fn postgres_ends_when_its_owner_is_killed() {
    unprivileged::run("tests::embedded::postgres_ends_when_its_owner_is_killed", async || {
        let home = tempfile::tempdir().expect("a directory");
        let mut owner = Owner::start(home.path());
        let postgres = postmaster(home.path());
        owner.kill();
        eventually("the kernel tells Postgres to stop", async || !is_alive(postgres)).await;
    });
}

/// Somebody started it by hand, or `setpriv` is missing: there is a postmaster nobody looks after.
#[test]
fn a_postmaster_left_behind_is_stopped_first() {
    unprivileged::run("tests::embedded::a_postmaster_left_behind_is_stopped_first", async || {
        let home = tempfile::tempdir().expect("a directory");
        start(home.path()).await.expect("a start").stop().await.expect("a clean stop");
        let data = home.path().join("postgres");
        let mut stray = Stray::start(&data, &[]);
        eventually("it runs", async || {
            fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|text| text.contains("ready"))
        })
        .await;
        let next = start(home.path()).await.expect("the next start copes");
        assert!(stray.child.wait().expect("it ended").success(), "it was stopped cleanly");
        next.stop().await.expect("a clean stop");
    });
}

/// Numbers repeat: after a crash the one in `postmaster.pid` may be anybody's, in a container always the same one's.
#[test]
fn a_stale_number_that_somebody_else_has_is_no_postmaster() {
    unprivileged::run(
        "tests::embedded::a_stale_number_that_somebody_else_has_is_no_postmaster",
        async || {
            let home = tempfile::tempdir().expect("a directory");
            start(home.path()).await.expect("a start").stop().await.expect("a clean stop");
            let mut bystander = Command::new("cat").stdin(Stdio::piped()).spawn().expect("started");
            let stale = format!("{}\n{}\n0\n5432\n", bystander.id(), home.path().join("postgres").display());
            for file in ["postgres/postmaster.pid", "run/.s.PGSQL.5432.lock"] {
                fs::write(home.path().join(file), &stale).expect("written");
            }
            let next = start(home.path()).await.expect("the next start copes");
            next.stop().await.expect("a clean stop");
            assert!(bystander.try_wait().expect("ours").is_none(), "the other process was left alone");
            drop(bystander.stdin.take());
            bystander.wait().expect("collected");
        },
    );
}

#[test]
fn a_cluster_of_another_version_is_refused() {
    unprivileged::run("tests::embedded::a_cluster_of_another_version_is_refused", async || {
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir(home.path().join("postgres")).expect("made");
        fs::write(home.path().join("postgres/PG_VERSION"), "9\n").expect("written");
        let refusal = start(home.path()).await.expect_err("nothing can run it").to_string();
        assert!(refusal.contains("apt-get install postgresql-9"), "{refusal}");
    });
}

#[test]
fn a_bad_setting_of_the_operator_is_told_and_not_retried() {
    unprivileged::run("tests::embedded::a_bad_setting_of_the_operator_is_told_and_not_retried", async || {
        let home = tempfile::tempdir().expect("a directory");
        start(home.path()).await.expect("a start").stop().await.expect("a clean stop");
        fs::write(home.path().join("postgres/local.conf"), "work_mem = lots\n").expect("written");
        let refusal = start(home.path()).await.expect_err("Postgres refuses it").to_string();
        assert!(refusal.contains("work_mem"), "{refusal}");
    });
}

#[tokio::test]
async fn root_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    if rustix::process::geteuid().is_root() {
        let refusal = start(home.path()).await.expect_err("root");
        assert!(matches!(refusal, EmbeddedError::Root), "{refusal}");
        assert_eq!(fs::read_dir(home.path()).expect("readable").count(), 0, "and nothing was made");
    }
}

/// A postmaster nobody looks after, stopped with this value.
pub(super) struct Stray {
    pub(super) child: std::process::Child,
}

impl Stray {
    pub(super) fn start(data: &Path, settings: &[String]) -> Self {
        let mut command = Command::new(postgres(data));
        command.arg("-D").arg(data);
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        Self { child: command.stderr(Stdio::null()).spawn().expect("started") }
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let pid = i32::try_from(self.child.id()).expect("a number");
            kill_process(Pid::from_raw(pid).expect("a number"), Signal::INT).expect("our own process");
            let _ = self.child.wait();
        }
    }
}

/// The program that made the cluster `data`.
fn postgres(data: &Path) -> PathBuf {
    fs::read_dir("/usr/lib/postgresql")
        .expect("Debian's directory")
        .map(|entry| entry.expect("an entry").path().join("bin/postgres"))
        .filter(|path| path.exists() && version_matches(path, data))
        .max()
        .expect("the programs that made the cluster")
}

fn version_matches(binary: &Path, data: &Path) -> bool {
    let version = fs::read_to_string(data.join("PG_VERSION")).expect("a cluster");
    binary.components().any(|part| part.as_os_str().to_str() == Some(version.trim()))
}

/// Another process that runs the cluster, to be killed.
struct Owner {
    child: std::process::Child,
}

const OWNER_HOME: &str = "CONGTHU_TEST_OWNER_HOME";
const OWNER_READY: &str = "the owner is ready";

impl Owner {
    fn start(data_dir: &Path) -> Self {
        let mut owner = Self::begin(data_dir);
        let output = BufReader::new(owner.child.stdout.take().expect("piped"));
        let ready = output.lines().any(|line| line.expect("text").contains(OWNER_READY));
        assert!(ready, "the other process did not start");
        owner
    }

    fn begin(data_dir: &Path) -> Self {
        let child = Command::new(std::env::current_exe().expect("our own path"))
            .args(["tests::embedded::owner_process", "--exact", "--ignored", "--nocapture"])
            .env(OWNER_HOME, data_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        Self { child }
    }

    fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("collected");
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the process [`Owner`] starts. It runs the cluster until its input ends or it is killed.
#[test]
#[ignore = "started by other tests"]
fn owner_process() {
    let Some(home) = std::env::var_os(OWNER_HOME).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let embedded = runtime.block_on(start(&home)).expect("a start");
    println!("{OWNER_READY}");
    let _ = std::io::stdin().lines().count();
    runtime.block_on(embedded.stop()).expect("a clean stop");
}
