//! Ports of the listeners: free, or ours already.

use super::Findings;
use crate::config::Config;
use crate::sockets;
use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The state of a listening socket in `/proc/net/tcp` (linux, `include/net/tcp_states.h`).
const LISTENING: &str = "0A";

pub(super) fn look(config: &Config, findings: &mut Findings) {
    for spec in config.listener_specs() {
        let name = format!("{} for {}", spec.bind, spec.protocol.as_str());
        match sockets::try_bind(&spec) {
            Ok(()) => findings.ok("ports", format!("{name} is free")),
            Err((error, _)) if error.kind() == ErrorKind::AddrInUse && is_ours(spec.bind.port()) => {
                findings.ok("ports", format!("{name} is taken by a running congthu"));
            }
            Err((error, mend)) => findings.error("ports", format!("{name}: {error}"), mend),
        }
    }
    if !config.serves_password_page() {
        findings.warn(
            "ports",
            format!("users are told to change passwords at {}, which no listener serves", config.password_page()),
            "add a listener with protocol = \"http\" and tls = \"implicit\", or have a proxy pass it on to one",
        );
    }
}

/// Whether a congthu of this user listens on the port, as far as this user may look.
fn is_ours(port: u16) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let sockets: HashSet<String> = tables.iter().flat_map(|table| listening(table, port)).collect();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|entry| entry.path()).filter(|process| is_congthu(process)).any(|process| {
        let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.to_str().is_some_and(|target| sockets.contains(target)))
    })
}

fn is_congthu(process: &Path) -> bool {
    fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "congthu")
}

/// The sockets that listen on a port, as `/proc/PID/fd` names them.
fn listening(table: &str, port: u16) -> impl Iterator<Item = String> {
    let suffix = format!(":{port:04X}");
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter_map(move |fields| {
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        (local.ends_with(&suffix) && *state == LISTENING).then(|| format!("socket:[{inode}]"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_found_and_an_open_connection_is_not() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:09DD 00000000:0000 0A 00000000:00000000 00:00000000 00000000 999 0 4711 1 0 100 0 0 10 0\n\
            1: 0100007F:09DD 0100007F:C001 01 00000000:00000000 00:00000000 00000000 999 0 4712 1 0 20 4 30 10 -1\n";
        assert_eq!(listening(table, 2525).collect::<Vec<_>>(), ["socket:[4711]"]);
        assert_eq!(listening(table, 25).count(), 0);
    }
}
