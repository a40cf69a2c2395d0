//! The embedded cluster's settings, rewritten at each start so that they follow the machine and the release.
//!
//! Invariants: nothing that makes a commit less durable is ever set here; no TCP; the operator's `local.conf` is read last
//! and, once there, never written; what Postgres logs holds no statement, no parameter and no row (they are personal data).

use super::EmbeddedError;
use super::layout::replace;
use super::programs::{Programs, output, plain};
use crate::endpoint::{OWNER_ROLE, SERVER_ROLE, connections};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The cluster's superuser: makes roles and database, nothing else.
pub(super) const SUPERUSER: &str = "postgres";

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
/// Assumed when the machine does not say: the smallest one the settings make sense for.
const MEMORY_UNKNOWN: u64 = GIB;
/// Connections beside the server's pools: command lines, the migrator, a backup, an administrator's psql.
const SPARE_CONNECTIONS: u32 = 40;
/// Fewer `shared_buffers` than Postgres's own default make no sense; more than this gains nothing over the page cache,
/// from which most chunks are read.
const SHARED_BUFFERS: (u64, u64) = (128 * MIB, 8 * GIB);
const MAINTENANCE_MEMORY: (u64, u64) = (64 * MIB, 512 * MIB);

/// What the settings depend on.
#[derive(Clone, Copy, Debug)]
struct Machine<'a> {
    memory: u64,
    sockets: &'a str,
    wal_compression: &'a str,
    pool_size: u32,
}

/// Writes `postgresql.conf`, `pg_hba.conf` and `pg_ident.conf` of the cluster `data`.
pub(super) fn write(
    data: &Path,
    sockets: &Path,
    programs: &Programs,
    pool_size: u32,
) -> Result<(), EmbeddedError> {
    let user = output(plain(Path::new("id")).arg("-un"))?;
    let wal_compression = wal_compression(programs, data);
    let sockets = sockets.to_string_lossy();
    let machine =
        Machine { memory: memory(), sockets: &sockets, wal_compression: &wal_compression, pool_size };
    let operators = data.join("local.conf");
    if !operators.exists() {
        replace(&operators, "# Settings of your own; they have the last word and are never overwritten.\n")?;
    }
    replace(&data.join("postgresql.conf"), &settings(&machine))?;
    replace(&data.join("pg_hba.conf"), ACCESS)?;
    replace(&data.join("pg_ident.conf"), &identities(user.trim()))
}

/// The kernel says who is at the other end of the socket; the map says whom that user may act as.
const ACCESS: &str = "\
# Written by congthu at each start.
local all all peer map=congthu
local replication postgres peer map=congthu
";

fn identities(user: &str) -> String {
    let user = user.replace('"', "\"\"");
    let mut text = String::from("# Written by congthu at each start.\n");
    for role in [OWNER_ROLE, SERVER_ROLE, SUPERUSER] {
        let _ = writeln!(text, "congthu \"{user}\" {role}");
    }
    text
}

fn settings(machine: &Machine<'_>) -> String {
    let megabytes = |bytes: u64| format!("{}MB", bytes / MIB);
    let shared = (machine.memory / 6).clamp(SHARED_BUFFERS.0, SHARED_BUFFERS.1);
    let maintenance = (machine.memory / 32).clamp(MAINTENANCE_MEMORY.0, MAINTENANCE_MEMORY.1);
    let values = [
        ("max_connections", (connections(machine.pool_size) + SPARE_CONNECTIONS).to_string()),
        ("unix_socket_directories", format!("'{}'", machine.sockets)),
        ("shared_buffers", megabytes(shared)),
        ("effective_cache_size", megabytes(machine.memory / 2)),
        ("maintenance_work_mem", megabytes(maintenance)),
        ("wal_compression", machine.wal_compression.to_owned()),
    ];
    let mut text = String::from(
        "# Written by congthu at each start: put settings of your own into local.conf beside this file.\n",
    );
    for (name, value) in values {
        let _ = writeln!(text, "{name} = {value}");
    }
    text + FIXED
}

/// What does not depend on the machine.
const FIXED: &str = "\
# Only through the socket, and only for the user that runs the server.
listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
# What was acknowledged is on disk.
fsync = on
synchronous_commit = on
full_page_writes = on
# Large messages write much at once: checkpoints by time rather than by volume.
max_wal_size = 4GB
min_wal_size = 256MB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
huge_pages = try
work_mem = 8MB
# Solid-state disks, and short statements.
random_page_cost = 1.1
effective_io_concurrency = 64
jit = off
# Queue and counters are updated all the time: vacuum small and often.
autovacuum_naptime = 20s
autovacuum_vacuum_scale_factor = 0.05
autovacuum_vacuum_insert_scale_factor = 0.1
autovacuum_analyze_scale_factor = 0.05
autovacuum_vacuum_cost_limit = 2000
# A query whose client is gone ends.
client_connection_check_interval = 10s
timezone = 'UTC'
log_timezone = 'UTC'
# The log goes to congthu, which writes it into its own; no statements, parameters or rows.
log_destination = 'stderr'
logging_collector = off
log_line_prefix = ''
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length_on_error = 0
log_checkpoints = off
log_autovacuum_min_duration = -1
include = 'local.conf'
";

/// The cheapest for the processor that this Postgres was built with: most of what is written is compressed already.
fn wal_compression(programs: &Programs, data: &Path) -> String {
    let known = ["lz4", "zstd", "pglz"].into_iter().find(|method| {
        let mut postgres = programs.command("postgres");
        let setting = format!("wal_compression={method}");
        output(postgres.args(["-C", "wal_compression", "-c", &setting, "-D"]).arg(data)).is_ok()
    });
    known.unwrap_or("on").to_owned()
}

/// Bytes of memory we may use: the machine's, or less when a control group says so.
fn memory() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| parse_memory_total(&text));
    let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| group_limit(&text));
    machine.into_iter().chain(group).min().unwrap_or(MEMORY_UNKNOWN)
}

fn parse_memory_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * KIB)
}

/// The smallest `memory.max` on the way from our own control group (version 2) to the root.
fn group_limit(text: &str) -> Option<u64> {
    let group = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let limits = Path::new(group).ancestors().filter_map(|ancestor| {
        let file = Path::new("/sys/fs/cgroup").join(ancestor).join("memory.max");
        fs::read_to_string(file).ok()?.trim().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_for(memory: u64) -> String {
        settings(&Machine { memory, sockets: "/srv/run", wal_compression: "lz4", pool_size: 32 })
    }

    #[test]
    fn memory_is_shared_within_bounds() {
        assert!(settings_for(512 * MIB).contains("\nshared_buffers = 128MB\n"));
        assert!(settings_for(12 * GIB).contains("\nshared_buffers = 2048MB\n"));
        assert!(settings_for(512 * GIB).contains("\nshared_buffers = 8192MB\n"));
    }

    #[test]
    fn commits_stay_durable_and_the_network_stays_out() {
        let text = settings_for(GIB);
        for line in
            ["fsync = on", "synchronous_commit = on", "full_page_writes = on", "listen_addresses = ''"]
        {
            assert_eq!(text.lines().filter(|found| found == &line).count(), 1, "{line}");
        }
        let wanted = format!("max_connections = {}\n", connections(32) + SPARE_CONNECTIONS);
        assert!(connections(32) > 48 && text.contains(&wanted), "{text}");
        assert!(text.ends_with("include = 'local.conf'\n"), "the operator has the last word");
    }

    #[test]
    fn only_our_user_is_let_in() {
        assert!(
            ACCESS
                .lines()
                .filter(|line| !line.starts_with('#'))
                .all(|line| line.ends_with("peer map=congthu"))
        );
        assert!(identities("thư").contains("\ncongthu \"thư\" congthu_server\n"));
    }

    #[test]
    fn memory_is_read() {
        assert_eq!(
            parse_memory_total("MemTotal:       24683656 kB\nMemFree: 1 kB\n"),
            Some(24_683_656 * KIB)
        );
        assert_eq!(parse_memory_total("nothing"), None);
        assert_eq!(group_limit("1:name=systemd:/x\n"), None);
        assert!(memory() > 0);
    }
}
