//! The server under test, as a small TOML describes it. Nothing else here knows which server it is.
//!
//! ```toml
//! label = "congthu"                        # names the side in reports
//! host = "127.0.0.1"
//! users = 500                              # mailboxes there are, numbered from 0
//! user = "bench-{}@bench.test"             # {} is the number
//! password = "…"                           # of all of them
//! smtp = { port = 25, tls = "none" }       # where mail from outside arrives; tls: none, starttls, implicit
//! submission = { port = 587, tls = "starttls" }
//! imap = { port = 993, tls = "implicit" }
//! pid_files = ["/run/x.pid"]               # memory: these processes and all below them
//! data = ["/var/mail"]                     # disk: what these directories hold
//! restart = ["systemctl", "restart", "x"]  # reset: run before cold figures
//! ```

use crate::wire::Outcome;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub label: String,
    pub host: String,
    pub users: usize,
    user: String,
    pub password: String,
    pub smtp: Door,
    pub submission: Door,
    pub imap: Door,
    #[serde(default)]
    pub pid_files: Vec<PathBuf>,
    #[serde(default)]
    pub data: Vec<PathBuf>,
    #[serde(default)]
    pub restart: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    pub port: u16,
    pub tls: TlsMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    None,
    Starttls,
    Implicit,
}

impl Target {
    pub fn read(path: &str) -> Outcome<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Ok(toml::from_str(&text).map_err(|error| format!("{path}: {error}"))?)
    }

    /// The address of the mailbox with this number, counted round the number of mailboxes there are.
    pub fn user(&self, number: usize) -> String {
        self.user.replace("{}", &(number % self.users.max(1)).to_string())
    }

    /// Runs `restart`; the server must answer again when the command ends.
    pub fn restart(&self) -> Outcome<()> {
        let (program, arguments) = self.restart.split_first().ok_or("the TOML has no restart command")?;
        let status = std::process::Command::new(program).args(arguments).status()?;
        if status.success() { Ok(()) } else { Err(format!("{program}: {status}").into()) }
    }
}
