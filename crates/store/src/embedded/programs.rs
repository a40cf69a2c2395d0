//! Finds the Postgres programs of the machine and runs them.
//!
//! Invariants: a cluster is only ever touched by programs of the version that made it; children get a small, known
//! environment, so that nobody's `PG…` variables reach them; every child dies when the thread that started it does.

use super::EmbeddedError;
use crate::migrate::OLDEST_POSTGRES;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The newest version the settings in `conf` are known to be right for.
const NEWEST_POSTGRES: u32 = 18;
/// Where programs are looked for that have no place of their own (`setpriv`, `id`, `pg_config`).
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One installed version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) directory: PathBuf,
    pub(super) major: u32,
    /// What `setpriv` does for a child: [`TETHER`], or what of it this machine's can do; empty without one.
    setpriv: &'static [&'static str],
}

impl Programs {
    /// A command that runs `name`, tied to the calling thread's life: when the thread ends, also by kill -9 of the
    /// process, the kernel sends the program SIGINT, which is a fast shutdown to Postgres.
    pub(super) fn command(&self, name: &str) -> Command {
        let program = self.directory.join(name);
        under_setpriv(self.setpriv, &program)
    }
}

/// Told to end with its parent, and without the right to bind low ports that our own process may have been given.
const TETHER: &[&str] = &["--pdeathsig", "INT", "--inh-caps=-all", "--ambient-caps=-all"];
/// For a `setpriv` that cannot tie a child to its parent.
const NO_RIGHTS: &[&str] = &["--inh-caps=-all", "--ambient-caps=-all"];

fn under_setpriv(options: &[&str], program: &Path) -> Command {
    if options.is_empty() {
        return plain(program);
    }
    let mut command = plain(Path::new("setpriv"));
    command.args(options).arg("--").arg(program);
    command
}

/// A command with nothing of our environment, in no terminal's process group: Ctrl-C is for us alone, who stop Postgres
/// after the last mail is written.
pub(super) fn plain(program: &Path) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program);
    command.env_clear().env("PATH", SEARCH_PATH).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command.current_dir("/").stdin(Stdio::null()).process_group(0);
    command
}

/// The programs to use: those of `made_by` when the cluster `data` is there already, else the newest supported ones.
pub(super) fn find(
    wanted: Option<&Path>,
    data: &Path,
    made_by: Option<&str>,
) -> Result<Programs, EmbeddedError> {
    let mut found: Vec<(u32, PathBuf)> = match wanted {
        Some(directory) => vec![directory.to_owned()],
        None => usual_places(),
    }
    .into_iter()
    .filter_map(|directory| Some((version_of(&directory)?, directory)))
    .collect();
    if let Some(directory) = wanted.filter(|_| found.is_empty()) {
        return Err(EmbeddedError::NotThere(directory.to_owned()));
    }
    found.sort_by_key(|(major, _)| *major);
    let (major, directory) = choose(&found, data, made_by)?;
    Ok(Programs { directory, major, setpriv: usable_setpriv() })
}

fn choose(
    found: &[(u32, PathBuf)],
    data: &Path,
    made_by: Option<&str>,
) -> Result<(u32, PathBuf), EmbeddedError> {
    if found.is_empty() {
        return Err(EmbeddedError::NoPrograms);
    }
    let names = || found.iter().map(|(major, _)| major.to_string()).collect::<Vec<_>>().join(", ");
    if let Some(made_by) = made_by {
        let matching = found.iter().rev().find(|(major, _)| major.to_string() == made_by);
        return matching.cloned().ok_or_else(|| EmbeddedError::OtherVersion {
            data: data.to_owned(),
            made_by: made_by.to_owned(),
            found: names(),
        });
    }
    let supported = found.iter().rev().find(|(major, _)| (OLDEST_POSTGRES..=NEWEST_POSTGRES).contains(major));
    supported.cloned().ok_or_else(|| EmbeddedError::Unsupported {
        found: names(),
        oldest: OLDEST_POSTGRES,
        newest: NEWEST_POSTGRES,
    })
}

/// Debian's directories, Red Hat's, the default of a build from source, and whatever `pg_config` says.
fn usual_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = children("/usr/lib/postgresql").collect();
    places.extend(children("/usr").filter(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("pgsql-"))
    }));
    places.push(PathBuf::from("/usr/local/pgsql"));
    let mut places: Vec<PathBuf> = places.into_iter().map(|place| place.join("bin")).collect();
    if let Ok(directory) = output(plain(Path::new("pg_config")).arg("--bindir")) {
        places.push(PathBuf::from(directory.trim()));
    }
    places
}

fn children(directory: &str) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn version_of(directory: &Path) -> Option<u32> {
    let postgres = directory.join("postgres");
    if !postgres.exists() || !directory.join("initdb").exists() {
        return None;
    }
    parse_version(&output(plain(&postgres).arg("--version")).ok()?)
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, also `17beta2`.
fn parse_version(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("(PostgreSQL) ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn usable_setpriv() -> &'static [&'static str] {
    let works = |options: &[&str]| output(&mut under_setpriv(options, Path::new("true"))).is_ok();
    if works(TETHER) {
        return TETHER;
    }
    tracing::warn!(
        "setpriv cannot tie PostgreSQL to congthu: after a crash the next start will stop it first"
    );
    if works(NO_RIGHTS) { NO_RIGHTS } else { &[] }
}

/// Runs to the end; what it printed, or why it failed.
pub(super) fn output(command: &mut Command) -> Result<String, EmbeddedError> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(EmbeddedError::Program { program, output: format!("{}: {text}", output.status) })
        }
        Err(error) => Err(EmbeddedError::Program { program, output: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(versions: &[u32]) -> Vec<(u32, PathBuf)> {
        versions.iter().map(|version| (*version, PathBuf::from(format!("/pg/{version}")))).collect()
    }

    /// Only root can hand out rights, so for others there is nothing to take away here.
    #[test]
    fn children_get_no_right_of_ours() {
        let status = under_setpriv(TETHER, Path::new("cat"));
        let mut command = plain(Path::new("setpriv"));
        if rustix::process::geteuid().is_root() {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            command.args(["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]);
        } else {
            command.arg("--no-new-privs");
        }
        command.arg("--").arg(status.get_program()).args(status.get_args()).arg("/proc/self/status");
        let status = output(&mut command).expect("setpriv");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert!(status.contains(&format!("{set}:\t0000000000000000")), "{status}");
        }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_version("initdb: command not found"), None);
    }

    #[test]
    fn a_new_cluster_is_made_by_the_newest_supported_version() {
        let chosen = |versions: &[u32]| choose(&installed(versions), Path::new("/d"), None).map(|one| one.0);
        assert_eq!(chosen(&[13, 15, 17, NEWEST_POSTGRES + 1]).expect("two fit"), 17);
        assert!(matches!(chosen(&[]), Err(EmbeddedError::NoPrograms)));
        assert!(matches!(chosen(&[11, 99]), Err(EmbeddedError::Unsupported { .. })));
    }

    #[test]
    fn an_old_cluster_is_only_touched_by_its_own_version() {
        let chosen = |made_by| choose(&installed(&[15, 17]), Path::new("/d"), Some(made_by));
        assert_eq!(chosen("15").expect("installed").0, 15);
        let refusal = chosen("16").expect_err("not installed").to_string();
        assert!(refusal.contains("apt-get install postgresql-16"), "{refusal}");
    }
}
