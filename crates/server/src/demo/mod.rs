//! `congthu demo`: a province to try things with, which keeps what it made.
//!
//! Invariants: it never touches a configuration it was not pointed at; the passwords are made once, and are on
//! the disk before the first mailbox is, so that a start cut off anywhere is completed by the next with the same
//! passwords; nothing of this (passwords on disk, shown at every start) exists outside the demo.

mod people;
mod welcome;

use crate::cli;
use crate::config::{Bind, Callers, Config, HostPort, ListenerSpec, Protocol, TlsMode};
use crate::passwords;
use crate::system::OsRng;
use crate::tls::PUBLIC_FILE;
use anyhow::{Context as _, Result, bail};
use engine::{Actor, AdminError, Engine, LinkPerson, NewMailbox, OrganisationError, Owner};
use model::{Address, DomainName, MailboxClass};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const DOMAIN: &str = "demo.gov.vn";
const PROFILE: &str = "an-giang";
const HOSTNAME: &str = "mail.demo.gov.vn";
/// Address, name, class, unit.
const USERS: [(&str, &str, MailboxClass, &str); 9] = [
    ("nvbinh", "Nguyễn Văn Bình", MailboxClass::Leader, "ubnd"),
    ("ttadao", "Trần Thị Ánh Đào", MailboxClass::Leader, "sonoivu"),
    ("lhphuc", "Lê Hoàng Phúc", MailboxClass::Person, "vpubnd"),
    ("ptmduyen", "Phạm Thị Mỹ Duyên", MailboxClass::Person, "sonoivu"),
    ("vmduc", "Võ Minh Đức", MailboxClass::Person, "sonoivu"),
    ("httung", "Huỳnh Thanh Tùng", MailboxClass::Person, "sokhcn"),
    ("dqkhanh", "Đặng Quốc Khánh", MailboxClass::Person, "sokhcn"),
    ("vanthu", "Văn thư Ủy ban nhân dân tỉnh", MailboxClass::Organisation, "vpubnd"),
    ("postmaster", "Quản trị thư điện tử", MailboxClass::Service, "sokhcn"),
];
/// Alias and mailbox; every domain must answer to these names (RFC 2142).
const ALIASES: [(&str, &str); 2] = [("abuse", "postmaster"), ("hotro", "postmaster")];
/// Above 1023, so that no right is needed; the last digits are the usual ports'.
const PORTS: [(Protocol, u16, TlsMode); 8] = [
    (Protocol::Smtp, 2525, TlsMode::StartTls),
    (Protocol::Submission, 2587, TlsMode::StartTls),
    (Protocol::Submission, 2465, TlsMode::Implicit),
    (Protocol::Imap, 2143, TlsMode::StartTls),
    (Protocol::Imap, 2993, TlsMode::Implicit),
    (Protocol::Sieve, 2190, TlsMode::StartTls),
    (Protocol::Http, 2080, TlsMode::None),
    (Protocol::Http, 2443, TlsMode::Implicit),
];
/// Where whoever likes may play the other mail servers.
const WORLD_PORT: u16 = 2526;
/// Where the policy says that forged mail is refused, and it is not.
const UNSEEN: &str = "\n  Mail from other servers is taken here without a look at SPF, DKIM and DMARC, forged mail too, whatever the policy says: \
     this machine plays them all. An installation looks ([authentication] check).";
/// What `settings` lets this machine do.
const UNGUARDED: &str = "\n  Programs on this machine (127.0.0.0/8) may try as many passwords and open as many connections as they like, as they play \
     everybody here: to see the limits work, come from another machine, or start it with a file of your own ([limits] exempt_networks).";
/// Under the data directory: the passwords, and a configuration for the other commands.
const USERS_FILE: &str = "demo-users.json";
const CONFIG_FILE: &str = "demo.toml";

/// Settings of the demo: the named file's where there is one, with the demo's own for what it does not say.
///
/// # Errors
/// When the home directory is unknown.
pub(crate) fn settings(mut config: Config, options: &cli::Demo) -> Result<Config> {
    let is_named = config.file.is_some();
    match &options.data_dir {
        Some(data_dir) => {
            config.data_dir = std::path::absolute(data_dir)
                .with_context(|| format!("{} is no path", data_dir.display()))?;
        }
        None if !is_named => config.data_dir = usual_data_dir()?,
        None => {}
    }
    if !config.has_hostname() {
        config.set_hostname(HOSTNAME);
    }
    if config.listeners.is_empty() {
        config.set_listeners(&listeners(options.bind));
    }
    if !is_named {
        // One machine plays every client here, and the world: nobody outside gets mail of a province that does not exist.
        config.limits.exempt_networks.extend("127.0.0.0/8".parse::<model::Network>());
        config.authentication.check = false;
        config.smart_host = Some(HostPort { host: "127.0.0.1".to_owned(), port: WORLD_PORT });
    }
    Ok(config)
}

fn usual_data_dir() -> Result<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/congthu-demo"));
    }
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    Ok(home.context("the home directory is unknown: give --data-dir DIR")?.join(".congthu-demo"))
}

fn listeners(address: IpAddr) -> Vec<ListenerSpec> {
    // What asks for no password stays on this machine.
    let local = if address.is_loopback() { address } else { Ipv4Addr::LOCALHOST.into() };
    let spec = |(protocol, port, tls)| {
        let address = if (protocol, tls) == (Protocol::Http, TlsMode::None) { local } else { address };
        ListenerSpec { protocol, bind: Bind::One((address, port).into()), tls, callers: Callers::default() }
    };
    PORTS.into_iter().map(spec).collect()
}

/// Who lives in the demo.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Province {
    users: Vec<User>,
}

#[derive(Debug, Serialize, Deserialize)]
struct User {
    address: Address,
    name: String,
    class: MailboxClass,
    unit: String,
    password: String,
}

impl Province {
    /// The one that was made before, or a new one with new passwords; also writes the configuration with which
    /// the other commands work on the demo.
    ///
    /// # Errors
    /// When the data directory cannot be written.
    pub(crate) fn load_or_make(config: &Config) -> Result<Self> {
        let cannot = || format!("cannot write to {}; give another --data-dir", config.data_dir.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.data_dir).with_context(cannot)?;
        if config.file.is_none() {
            write(&config.data_dir.join(CONFIG_FILE), &configuration(config)).with_context(cannot)?;
        }
        let file = config.data_dir.join(USERS_FILE);
        if let Ok(text) = fs::read_to_string(&file) {
            let damaged =
                || format!("{} is damaged: remove the demo's directory to begin anew", file.display());
            return serde_json::from_str(&text).with_context(damaged);
        }
        let province = Self::new()?;
        write(&file, &serde_json::to_string_pretty(&province)?).with_context(cannot)?;
        Ok(province)
    }

    fn new() -> Result<Self> {
        let user = |(local, name, class, unit): (&str, &str, MailboxClass, &str)| {
            let address = Address::new(local, DOMAIN)?;
            let password = passwords::make(&OsRng);
            Ok(User { address, name: name.to_owned(), class, unit: unit.to_owned(), password })
        };
        Ok(Self { users: USERS.into_iter().map(user).collect::<Result<_>>()? })
    }

    /// Makes what is not there yet.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn seed(&self, engine: &Engine) -> Result<()> {
        let actor = Actor::console("console:demo");
        let domain = DomainName::new(DOMAIN)?;
        let domains = engine.domains(&actor).await?;
        if !domains.iter().any(|known| known.name == domain) {
            if !domains.is_empty() {
                bail!("this is an installation in use, not a demo: give the demo another --data-dir");
            }
            engine.add_domain(&actor, &domain, PROFILE).await?;
        }
        people::seed_units(engine, &actor, &domain).await?;
        let postmaster = Address::new("postmaster", DOMAIN)?;
        for user in &self.users {
            if engine.mailbox(&actor, &user.address).await?.is_some() {
                user.link(engine, &actor, &domain).await?;
                continue;
            }
            let made = engine.add_mailbox_of(&actor, &user.mailbox(), user.owner()).await;
            if unless_there(made)?.is_some() {
                welcome::send(engine, &postmaster, &user.address).await?;
            }
        }
        for (alias, mailbox) in ALIASES {
            let (alias, mailbox) = (Address::new(alias, DOMAIN)?, Address::new(mailbox, DOMAIN)?);
            if engine.mailbox(&actor, &alias).await?.is_none()
                && engine.mailbox(&actor, &mailbox).await?.is_some()
            {
                unless_there(engine.add_alias(&actor, &alias, &mailbox).await)?;
            }
        }
        // Behind the demo's users, who have the addresses that the README tells.
        people::seed_people(engine, &actor, &domain).await
    }

    /// Where to point a client and who may log in.
    pub(crate) fn greeting(&self, config: &Config) -> String {
        let mut lines = vec![format!("\nCông Thư: the demo province {DOMAIN} is ready.\n")];
        for spec in config.listener_specs() {
            let bind = spec.bind.to_string();
            lines.push(format!("  {:<10} {bind:<21} {}", spec.protocol.as_str(), use_of(&spec)));
        }
        let certificate = config.data_dir.join(PUBLIC_FILE);
        lines.push(format!(
            "\n  The certificate is self-signed; let the client trust it, or {}\n",
            certificate.display()
        ));
        for user in &self.users {
            lines.push(format!("  {:<24} {}   {}", user.address.to_string(), user.password, user.name));
        }
        if let Some(HostPort { host, port }) = &config.smart_host {
            lines.push(format!(
                "\n  Mail for other domains goes to {host} port {port}, such as: smtp-sink {host}:{port} 100"
            ));
        }
        if !config.authentication.check {
            lines.push(UNSEEN.to_owned());
        }
        if config.file.is_none() {
            lines.push(UNGUARDED.to_owned());
        }
        lines.push(format!("\n{}", self.examples(config)));
        lines.push(
            "\nCtrl-C stops it. Started again, it has the same users, passwords and mail.\n".to_owned(),
        );
        lines.join("\n")
    }

    fn examples(&self, config: &Config) -> String {
        let port = |protocol, tls| {
            let mut specs = config.listener_specs().into_iter();
            specs.find(|spec| spec.protocol == protocol && spec.tls == tls).map(|spec| spec.bind)
        };
        let mut lines = vec!["Try:".to_owned()];
        let Some(user) = self.users.first() else { return String::new() };
        if let Some(bind) = port(Protocol::Smtp, TlsMode::StartTls) {
            lines.push(format!("  swaks --server {bind} --from a@example.org --to {}", user.address));
        }
        if let Some(bind) = port(Protocol::Imap, TlsMode::Implicit) {
            lines.push(format!(
                "  curl -k --user {}:{} 'imaps://{bind}/INBOX?ALL'",
                user.address, user.password
            ));
        }
        let own = config.data_dir.join(CONFIG_FILE);
        let file = config.file.as_ref().unwrap_or(&own);
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("congthu"));
        for words in
            ["mailbox list".to_owned(), format!("unit list {DOMAIN}"), format!("person list {DOMAIN}")]
        {
            lines.push(format!("  {} --config {} {words}", program.display(), file.display()));
        }
        lines.join("\n")
    }
}

impl User {
    /// None of the province's people, who come behind.
    fn owner(&self) -> Owner {
        Owner { another_person: true, ..Owner::default() }
    }

    /// The mailbox of a demo that was made before its users were people becomes its person's.
    async fn link(&self, engine: &Engine, actor: &Actor, domain: &DomainName) -> Result<()> {
        let of_people = matches!(self.class, MailboxClass::Person | MailboxClass::Leader);
        let known = engine.person_with(actor, domain, &self.address).await;
        let nobodys = matches!(known, Err(AdminError::Organisation(OrganisationError::NobodysMailbox(_))));
        if !of_people || !nobodys {
            return Ok(());
        }
        let link = LinkPerson {
            address: self.address.clone(),
            owner: self.owner(),
            unit: Some(self.unit.clone()),
            position: None,
            on: None,
            dry_run: false,
        };
        people::unless_done(engine.link_person(actor, domain, &link).await)
    }

    fn mailbox(&self) -> NewMailbox {
        NewMailbox {
            address: self.address.clone(),
            display_name: self.name.clone(),
            class: self.class,
            unit: Some(self.unit.clone()),
            quota_bytes: None,
            password: Some(self.password.clone()),
            must_change_password: false,
        }
    }
}

/// What exists stays as it is, and what was deleted stays deleted; only a real fault is one.
fn unless_there<T>(made: Result<T, AdminError>) -> Result<Option<T>> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(AdminError::AddressTaken) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn use_of(spec: &ListenerSpec) -> &'static str {
    match (spec.protocol, spec.tls) {
        (Protocol::Smtp, _) => "mail from other servers",
        (Protocol::Submission, TlsMode::Implicit) => "sending, SSL/TLS",
        (Protocol::Submission, _) => "sending, STARTTLS",
        (Protocol::Lmtp, _) => "mail from a local relay",
        (Protocol::Imap, TlsMode::Implicit) => "reading, SSL/TLS",
        (Protocol::Imap, _) => "reading, STARTTLS",
        (Protocol::Sieve, TlsMode::Implicit) => "rules for mail (ManageSieve), SSL/TLS",
        (Protocol::Sieve, _) => "rules for mail (ManageSieve), STARTTLS",
        (Protocol::Http, TlsMode::Implicit) => "changing passwords, https, /mat-khau",
        (Protocol::Http, _) => "/healthz",
        (Protocol::Acme, _) => "what an authority looks for",
    }
}

/// What `--config` needs, so that the other commands find the demo.
fn configuration(config: &Config) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut file = String::from(
        "# Written anew by congthu demo whenever it starts, for the other commands: congthu --config THIS mailbox list\n\
         # What is changed here is lost, and the demo does not read it. For a demo with settings of your own, copy this file, change\n\
         # the copy, and start it with that: congthu --config COPY demo\n",
    );
    file += &format!("hostname = {}\n", quoted(&config.hostname()));
    file += &format!("data_dir = {}\n", quoted(&config.data_dir.to_string_lossy()));
    for spec in config.listener_specs() {
        file += &format!(
            "[[listener]]\nprotocol = {}\nbind = {}\ntls = {}\n",
            quoted(spec.protocol.as_str()),
            quoted(&spec.bind.to_string()),
            quoted(spec.tls.as_str())
        );
    }
    if !config.authentication.check {
        file += "# One machine plays all other servers: forged mail is taken, whatever the policy says. Not for an installation.\n\
                 [authentication]\ncheck = false\n";
    }
    file
}

/// For the owner alone, whole or not at all.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let fresh = file.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(directory: &Path) -> Config {
        config_on(directory, [127, 0, 0, 1].into())
    }

    fn config_on(directory: &Path, bind: IpAddr) -> Config {
        let options = cli::Demo { data_dir: Some(directory.to_owned()), bind };
        settings(Config::parse("", "none").unwrap(), &options).unwrap()
    }

    #[test]
    fn users_and_passwords_outlive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        let passwords = || {
            let province = Province::load_or_make(&config).unwrap();
            province.users.into_iter().map(|user| user.password).collect::<Vec<_>>()
        };
        let first = passwords();
        assert_eq!(first.len(), USERS.len());
        assert_eq!(passwords(), first);
    }

    #[test]
    fn the_other_commands_find_the_demo() {
        let directory = tempfile::tempdir().unwrap();
        for bind in ["127.0.0.1", "::1", "0.0.0.0", "192.0.2.1"] {
            let config = config_on(directory.path(), bind.parse().unwrap());
            let read = Config::parse(&configuration(&config), "demo.toml").unwrap();
            assert_eq!(read.data_dir, config.data_dir);
            assert_eq!(read.listener_specs(), config.listener_specs());
            assert_eq!(read.hostname(), HOSTNAME);
            assert!(!read.authentication.check, "as the demo runs");
        }
    }

    #[test]
    fn that_forged_mail_is_taken_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path());
        let province = Province { users: Vec::new() };
        assert!(province.greeting(&config).contains("forged mail too"));
        config.authentication.check = true;
        assert!(!province.greeting(&config).contains("forged"));
    }

    #[test]
    fn what_differs_from_an_installation_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path());
        let province = Province { users: Vec::new() };
        let head = configuration(&config);
        assert!(
            head.contains("What is changed here is lost") && head.contains("congthu --config COPY demo"),
            "{head}"
        );
        assert!(config.limits.exempt_networks.iter().any(|network| network.contains([127, 0, 0, 1].into())));
        assert!(province.greeting(&config).contains("may try as many passwords"));
        // A file of one's own says whom it lets pass.
        config.file = Some(directory.path().join("own.toml"));
        assert!(!province.greeting(&config).contains("may try as many passwords"));
    }
}
