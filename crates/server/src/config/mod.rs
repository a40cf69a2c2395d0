//! The configuration: what is in it, where it comes from.
//!
//! Invariants: this crate alone reads files and environment for settings; an unknown key is an error with its
//! line; every option is defined in [`defs`] and nowhere else; a relative path starts at the file's directory.

mod acme;
mod callers;
mod countries;
mod defs;
mod docs;
mod listeners;
mod parse;
mod published;
mod routes;
mod values;

pub(crate) use acme::Acme;
pub(crate) use callers::{Callers, ClientCertificates};
pub(crate) use docs::{example, reference};
pub(crate) use routes::Route;

pub(crate) use values::{Bind, HostPort, LogFormat, Protocol, RouteTls, Server, TlsMode, size};

use listeners::{is_page, usual_listeners};
use published::Published;
use std::path::{Path, PathBuf};

/// Of a configuration, a certificate with its chain, or a key: the largest have some ten thousand octets.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Read when neither `--config` nor `CONGTHU_CONFIG` names another.
const DEFAULT_FILE: &str = "/etc/congthu/congthu.toml";
/// Names the file, where `--config` does not.
pub(crate) const FILE_VARIABLE: &str = "CONGTHU_CONFIG";

/// A mistake in the configuration; one line, with file and line number where there is one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(crate) String);

#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// Where it was read from; none when there was no file.
    pub(crate) file: Option<PathBuf>,
    hostname: Option<String>,
    pub(crate) data_dir: PathBuf,
    pub(crate) database: Database,
    pub(crate) content: Content,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) tls: Certificate,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) acme: Acme,
    pub(crate) dns_servers: Vec<Server>,
    pub(crate) dns_anchors: Option<PathBuf>,
    pub(crate) dnssec: bool,
    pub(crate) smart_host: Option<HostPort>,
    pub(crate) outbound: Outbound,
    pub(crate) authentication: Authentication,
    pub(crate) routes: Vec<Route>,
    clouds: Vec<model::Cloud>,
    pub(crate) scan: defs::Scan,
    pub(crate) limits: Limits,
    /// Who may read `/metrics` besides this machine.
    pub(crate) metrics_networks: Vec<model::Network>,
    pub(crate) networks: countries::Networks,
    published: Published,
    pub(crate) log: Log,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Database {
    pub(crate) url: Option<String>,
    url_file: Option<PathBuf>,
    pub(crate) owner_url: Option<String>,
    owner_url_file: Option<PathBuf>,
    pub(crate) postgres_bin: Option<PathBuf>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) directory: Option<PathBuf>,
}

/// As written; [`ListenerSpec`] once it is checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listener {
    protocol: Option<Protocol>,
    bind: Option<Bind>,
    tls: Option<TlsMode>,
    /// Others than this machine may reach a listener that asks for no password.
    allow_remote: bool,
    callers: Callers,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenerSpec {
    pub(crate) protocol: Protocol,
    pub(crate) bind: Bind,
    pub(crate) tls: TlsMode,
    pub(crate) callers: Callers,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Certificate {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Outbound {
    pub(crate) sources: Vec<std::net::IpAddr>,
    pub(crate) authorities: PathBuf,
    pub(crate) allow_private: bool,
    pub(crate) tls_reports: bool,
}

/// What is found out of mail of strangers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authentication {
    pub(crate) check: bool,
    pub(crate) trusted_relays: Vec<model::Network>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) message_bytes_max: u64,
    pub(crate) smtp_connections: u32,
    pub(crate) smtp_connections_per_address: u32,
    pub(crate) imap_connections: u32,
    pub(crate) imap_connections_per_address: u32,
    pub(crate) exempt_networks: Vec<model::Network>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) format: Option<LogFormat>,
    pub(crate) filter: String,
}

impl Config {
    /// The file that `--config` names, else the one of the environment, else the usual one if it is there,
    /// else the defaults.
    ///
    /// # Errors
    /// When a named file cannot be read, or the file has a mistake.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let usual = || Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists());
        Self::read(named_file(named).or_else(usual))
    }

    /// As [`Config::load`], without the usual file: the demo must not work on a real installation unasked.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub(crate) fn load_named(named: Option<&Path>) -> Result<Self, ConfigError> {
        Self::read(named_file(named))
    }

    fn read(file: Option<PathBuf>) -> Result<Self, ConfigError> {
        let Some(file) = file else { return Self::parse("", "built-in defaults") };
        let file = std::path::absolute(&file)
            .map_err(|error| ConfigError(format!("{}: {error}", file.display())))?;
        let text = read_file(&file, "configuration")?;
        let mut config = Self::parse(&text, &file.display().to_string())?;
        config.start_paths_at(file.parent().unwrap_or(Path::new("/")));
        config.read_secrets()?;
        config.file = Some(file);
        Ok(config)
    }

    /// The host's name for greetings, trace headers and certificate.
    pub(crate) fn hostname(&self) -> String {
        self.hostname.clone().unwrap_or_else(|| {
            std::fs::read_to_string("/proc/sys/kernel/hostname")
                .ok()
                .and_then(|name| host_name(name.trim()).ok())
                .unwrap_or_else(|| "localhost".to_owned())
        })
    }

    /// Where people change their passwords: on the http listener under TLS that others reach, or the only one there is.
    /// Without one, where a proxy would have it.
    pub(crate) fn password_page(&self) -> String {
        format!("{}/mat-khau", self.home())
    }

    /// Scheme, host and port of that page.
    pub(crate) fn home(&self) -> String {
        let specs = self.listener_specs();
        let pages: Vec<&ListenerSpec> = specs.iter().filter(|spec| is_page(spec)).collect();
        let page = pages.iter().find(|spec| !spec.bind.is_local()).or(pages.first());
        let port = match page.map(|spec| spec.bind.port()) {
            None | Some(443) => String::new(),
            Some(port) => format!(":{port}"),
        };
        format!("https://{}{port}", self.hostname())
    }

    /// Does a listener of ours serve it?
    pub(crate) fn serves_password_page(&self) -> bool {
        self.listener_specs().iter().any(is_page)
    }

    pub(crate) fn has_hostname(&self) -> bool {
        self.hostname.is_some()
    }

    pub(crate) fn set_hostname(&mut self, name: &str) {
        self.hostname = Some(name.to_owned());
    }

    /// The listeners of the file, or the usual ones.
    pub(crate) fn listener_specs(&self) -> Vec<ListenerSpec> {
        if self.listeners.is_empty() {
            return usual_listeners(self.acme.needs_port_80());
        }
        let spec = |listener: &Listener| {
            let protocol = listener.protocol?;
            let tls = listener.tls.unwrap_or_else(|| protocol.default_tls());
            Some(ListenerSpec { protocol, bind: listener.bind?, tls, callers: listener.callers.clone() })
        };
        self.listeners.iter().filter_map(spec).collect()
    }

    pub(crate) fn set_listeners(&mut self, specs: &[ListenerSpec]) {
        self.listeners = specs
            .iter()
            .map(|spec| Listener {
                protocol: Some(spec.protocol),
                bind: Some(spec.bind),
                tls: Some(spec.tls),
                allow_remote: false,
                callers: spec.callers.clone(),
            })
            .collect();
    }

    fn listener(&mut self) -> Result<&mut Listener, String> {
        self.listeners.last_mut().ok_or_else(|| "belongs in a [[listener]]".to_owned())
    }

    fn certificate(&mut self) -> Result<&mut Certificate, String> {
        self.certificates.last_mut().ok_or_else(|| "belongs in a [[certificate]]".to_owned())
    }

    fn route(&mut self) -> Result<&mut Route, String> {
        self.routes.last_mut().ok_or_else(|| "belongs in a [[route]]".to_owned())
    }

    /// What no single option can check.
    fn check(&self) -> Result<(), String> {
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return Err(
                "[tls] has only one of certificate and key: give both, or neither for a self-signed one"
                    .into(),
            );
        }
        if self.database.url.is_some() && self.database.url_file.is_some() {
            return Err("[database] has both url and url_file: keep one".into());
        }
        if self.database.owner_url.is_some() && self.database.owner_url_file.is_some() {
            return Err("[database] has both owner_url and owner_url_file: keep one".into());
        }
        if self.dns_anchors.is_some() && !self.dnssec {
            return Err("[dns] has anchors, and dnssec = \"off\" asks for no proof: keep one".into());
        }
        self.check_acme()?;
        let external = self.database.url.is_some() || self.database.url_file.is_some();
        if !external && (self.database.owner_url.is_some() || self.database.owner_url_file.is_some()) {
            return Err("[database] has an owner's URL but no url: add url".into());
        }
        self.check_routes()?;
        self.check_listeners()
    }

    fn check_listeners(&self) -> Result<(), String> {
        for listener in self.listeners.iter().filter(|listener| !listener.allow_remote) {
            if let (Some(protocol @ (Protocol::Lmtp | Protocol::Http)), Some(bind)) =
                (listener.protocol, listener.bind)
                && !bind.is_local()
                // What is under TLS asks for a password.
                && listener.tls != Some(TlsMode::Implicit)
            {
                return Err(format!(
                    "the {} listener on {bind} asks nobody for a password: bind it to 127.0.0.1, \
                     or write allow_remote = true if a firewall decides who reaches it",
                    protocol.as_str()
                ));
            }
        }
        self.check_binds()?;
        for spec in self.listener_specs() {
            if spec.tls == TlsMode::None && spec.callers.certificates().is_some() {
                let (protocol, bind) = (spec.protocol.as_str(), spec.bind);
                return Err(format!(
                    "the {protocol} listener on {bind} asks for client_certificates and has no tls"
                ));
            }
            match (spec.protocol, spec.tls) {
                (Protocol::Http, TlsMode::StartTls) => {
                    return Err("an http listener has tls = \"none\" or \"implicit\"".into());
                }
                (Protocol::Acme, TlsMode::StartTls | TlsMode::Implicit) => {
                    return Err("an acme listener has no tls: authorities come in the clear".into());
                }
                (Protocol::Lmtp, TlsMode::Implicit) => {
                    return Err("an lmtp listener has tls = \"none\" or \"starttls\"".into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_binds(&self) -> Result<(), String> {
        let specs = self.listener_specs();
        for (index, spec) in specs.iter().enumerate() {
            if let Some(earlier) = specs.iter().take(index).find(|earlier| earlier.bind.meets(spec.bind)) {
                return Err(format!(
                    "the {} listener on {} and the {} listener on {} want the same port: change one of them",
                    earlier.protocol.as_str(),
                    earlier.bind,
                    spec.protocol.as_str(),
                    spec.bind
                ));
            }
        }
        Ok(())
    }

    /// Whether the files that the configuration names can be read.
    ///
    /// # Errors
    /// For the first that cannot.
    pub(crate) fn check_files(&self) -> Result<(), ConfigError> {
        for pair in std::iter::once(&self.tls).chain(&self.certificates) {
            for (file, what) in [(&pair.certificate, "certificate"), (&pair.key, "key")] {
                file.as_ref().map_or(Ok(String::new()), |file| read_file(file, what))?;
            }
        }
        self.countries().map(drop)
    }

    fn start_paths_at(&mut self, directory: &Path) {
        let certificates = self.certificates.iter_mut().chain([&mut self.tls]);
        let certificate_paths = certificates.flat_map(|c| c.certificate.iter_mut().chain(c.key.iter_mut()));
        let database = &mut self.database;
        let files = [&mut database.url_file, &mut database.owner_url_file, &mut database.postgres_bin];
        let acme = [&mut self.acme.authorities, &mut self.acme.binding_key_file];
        let optional =
            files.into_iter().chain(acme).chain([&mut self.dns_anchors, &mut self.scan.password_file]);
        let always = [&mut self.data_dir, &mut self.outbound.authorities];
        let tables = self.networks.countries.iter_mut();
        let asking = self.listeners.iter_mut().filter_map(|listener| listener.callers.certificates.as_mut());
        let asked = asking.map(|clients| &mut clients.authorities);
        for path in optional.flatten().chain(certificate_paths).chain(always).chain(tables).chain(asked) {
            *path = directory.join(&*path);
        }
    }

    fn read_secrets(&mut self) -> Result<(), ConfigError> {
        let read = |file: &Path| read_file(file, "secret").map(|text| text.trim().to_owned());
        if let Some(file) = &self.database.url_file {
            self.database.url = Some(read(file)?);
        }
        if let Some(file) = &self.database.owner_url_file {
            self.database.owner_url = Some(read(file)?);
        }
        if let Some(file) = &self.scan.password_file {
            self.scan.password = Some(read(file)?);
        }
        self.acme.read_binding_key()?;
        Ok(())
    }
}

fn named_file(named: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os(FILE_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    named.map(Path::to_owned).or_else(variable)
}

fn host_name(name: &str) -> Result<String, String> {
    let name = model::DomainName::new(name).map_err(|_| format!("{name:?} is not a host name"))?;
    if !name.as_str().is_ascii() {
        return Err(format!("{:?} is not ASCII: write it in its xn-- form", name.as_str()));
    }
    Ok(name.as_str().to_owned())
}

fn read_file(file: &Path, what: &str) -> Result<String, ConfigError> {
    crate::given::read_text(file, FILE_BYTES_MAX).map_err(|error| {
        let mend = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => {
                "let the user congthu read it and every directory above it"
            }
            _ => "check the file",
        };
        ConfigError(format!("cannot read {what} file {}: {error}; {mend}", file.display()))
    })
}
