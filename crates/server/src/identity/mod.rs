//! Never as root: whoever starts us as root by hand gets the same command run as the user `congthu`.
//!
//! Invariants: nothing of ours that touches the network or the database runs with user id 0; after the change
//! of user the only privilege left is binding low ports, and of root's environment only [`KEPT`] is left; only
//! root-owned things are ever handed over.

mod copy;
mod handover;

use crate::cli::{
    Arguments, Command as Verb, KeptCommand, LifeCommand, MailboxCommand, RequestCommand, ReviewCommand,
    SieveCommand,
};
use crate::commands::add_many::passwords;
use crate::config::{Config, FILE_VARIABLE};
use crate::given;
use anyhow::{Context as _, Result, bail};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The user the server runs as; packages make it too.
pub(crate) const USER: &str = "congthu";
/// Of root's environment, what the server and its Postgres may see: the rest can hold anybody's secrets, and changes
/// what programs do. `SUDO_USER` and `LOGNAME` are for the audit log.
const KEPT: [&str; 6] = ["PATH", "LANG", "HOME", "USER", "LOGNAME", "SUDO_USER"];
/// Our own variables, and those of Rust (RUST_BACKTRACE).
const KEPT_PREFIXES: [&str; 2] = ["CONGTHU_", "RUST_"];
/// Options with a path, made absolute because the user may not be able to enter root's directory.
const PATH_OPTIONS: [&str; 4] = ["--config", "--data-dir", "--out", "--head"];

/// User and group ids.
#[derive(Clone, Copy, Debug)]
struct Ids {
    user: u32,
    group: u32,
}

/// Returns at once when we are not root. As root: starts this program again as [`USER`] in place of itself.
///
/// # Errors
/// When the user cannot be made, or cannot reach what it needs; the text says what to do.
pub(crate) fn leave_root(arguments: &Arguments, config: &Config) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    // A check changes nothing.
    let looks_only = matches!(arguments.command, Verb::Check);
    let ids = match find_user()? {
        Some(ids) => ids,
        None if looks_only => return Ok(()),
        None => make_user(&config.data_dir)?,
    };
    if !looks_only {
        handover::data_dir(&config.data_dir, ids)?;
    }
    if let Some(file) = &config.file {
        handover::check_readable(file, ids)?;
    }
    let program = copy::reachable_program(ids)?;
    let (words, input) = child_words(arguments, config)?;
    let (words, _sheet) = with_sheet(arguments, words, ids)?;
    let mut child = setpriv(ids, can_keep_ports(ids));
    child.arg(program).args(words).current_dir("/");
    child.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_kept(name)));
    child.env("HOME", &config.data_dir).env("USER", USER);
    if let Some(file) = &config.file {
        // Absolute, where the environment named it from root's directory.
        child.env(FILE_VARIABLE, file);
    }
    // For the audit log, where no login or sudo says who it is.
    if std::env::var_os("LOGNAME").is_none() {
        child.env("LOGNAME", "root");
    }
    if let Some(input) = input {
        child.stdin(input);
    }
    let error = child.exec();
    Err(error).context("cannot run setpriv; install util-linux, or start congthu as the user congthu")
}

fn is_kept(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A command line that runs what follows as `ids`, with the right to bind low ports if `ports`, and nothing else.
fn setpriv(ids: Ids, ports: bool) -> Command {
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={}", ids.user)).arg(format!("--regid={}", ids.group));
    command.args(["--init-groups", "--no-new-privs"]);
    if ports {
        command.args(["--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service"]);
        command.arg("--bounding-set=-all,+net_bind_service");
    }
    command.arg("--");
    command
}

/// False in containers that were denied the capability; high ports work there all the same.
fn can_keep_ports(ids: Ids) -> bool {
    succeeds(setpriv(ids, true).arg("true"))
}

/// Whether the user passes `test FLAG PATH`: the kernel's answer, with groups and access lists.
fn user_can(ids: Ids, flag: &str, path: &Path) -> bool {
    succeeds(setpriv(ids, false).arg("test").arg(flag).arg(path))
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn find_user() -> Result<Option<Ids>> {
    let found = Command::new("getent").args(["passwd", USER]).output().context("cannot run getent")?;
    if !found.status.success() {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&found.stdout);
    let mut fields = line.trim().split(':').skip(2).map(str::parse);
    let (Some(Ok(user)), Some(Ok(group))) = (fields.next(), fields.next()) else {
        bail!("getent passwd {USER} answered {:?}, which cannot be read", line.trim());
    };
    if user == 0 {
        bail!("the user {USER} has user id 0: give it another one");
    }
    Ok(Some(Ids { user, group }))
}

fn make_user(home: &Path) -> Result<Ids> {
    let made = Command::new("useradd")
        .args(["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", "--home-dir"])
        .args([home.as_os_str(), OsStr::new(USER)])
        .output()
        .context("cannot run useradd; make the user congthu by hand")?;
    // Two first starts at once: the other one made it.
    if let Some(ids) = find_user()? {
        return Ok(ids);
    }
    bail!("cannot make the user {USER}: {}", String::from_utf8_lossy(&made.stderr).trim())
}

/// Our arguments for the child, and its standard input when that is a file the user might not be able to open.
fn child_words(arguments: &Arguments, config: &Config) -> Result<(Vec<OsString>, Option<File>)> {
    let words = absolute_paths(std::env::args_os().skip(1))?;
    if let Verb::Demo(demo) = &arguments.command
        && demo.data_dir.is_none()
    {
        // The usual place depends on who asks.
        let mut words = words;
        words.extend([OsString::from("--data-dir"), config.data_dir.clone().into_os_string()]);
        return Ok((words, None));
    }
    let Some(path) = file_read(&arguments.command) else { return Ok((words, None)) };
    let file =
        given::open(path).with_context(|| format!("cannot read {}; check the path", path.display()))?;
    Ok((called(words, path), Some(file)))
}

/// The file whose content a command takes, where that is no option of [`PATH_OPTIONS`] and not standard input.
fn file_read(command: &Verb) -> Option<&Path> {
    let path = match command {
        Verb::Mailbox { command: MailboxCommand::AddMany(add_many) } => &add_many.file,
        Verb::Request { command: RequestCommand::Attach { file, file_name: None, .. } }
        | Verb::Sieve(SieveCommand::Kept(KeptCommand::Put { file, .. })) => file,
        Verb::Review { command: ReviewCommand::Answer(answer) } => answer.file.as_ref()?,
        Verb::Mailbox { command: MailboxCommand::Life(LifeCommand::Leave { answer: Some(answer), .. }) } => {
            Path::new(answer.strip_prefix('@')?)
        }
        _ => return None,
    };
    (path != Path::new("-")).then_some(path)
}

/// With the option by which these commands read standard input under the file's name; before a `--`, after which all are values.
fn called(mut words: Vec<OsString>, path: &Path) -> Vec<OsString> {
    let mut option = OsString::from("--file-name=");
    option.push(path);
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.insert(end, option);
    words
}

/// The sheet of passwords is opened here, where the user may not be able to, and handed on as an open file.
fn with_sheet(
    arguments: &Arguments,
    words: Vec<OsString>,
    ids: Ids,
) -> Result<(Vec<OsString>, Option<File>)> {
    let Verb::Mailbox { command: MailboxCommand::AddMany(add_many) } = &arguments.command else {
        return Ok((words, None));
    };
    let Some(path) = add_many.passwords.as_ref().filter(|_| !add_many.dry_run) else {
        return Ok((words, None));
    };
    let cannot = || format!("cannot write passwords to {}", path.display());
    let (file, is_new) = passwords::open_for(path, ids.user, false)?;
    if is_new {
        std::os::unix::fs::fchown(&file, Some(ids.user), Some(ids.group)).with_context(cannot)?;
    }
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).with_context(cannot)?;
    let handed = OsString::from(format!("/dev/fd/{}", file.as_raw_fd()));
    let joined = |path: &Path| OsString::from(format!("--passwords={}", path.display()));
    let words = words.into_iter().map(|word| {
        if word == *path {
            handed.clone()
        } else if word == joined(path) {
            joined(Path::new(&handed))
        } else {
            word
        }
    });
    Ok((words.collect(), Some(file)))
}

fn absolute_paths(words: impl Iterator<Item = OsString>) -> Result<Vec<OsString>> {
    let mut is_path = false;
    let mut absolute = Vec::new();
    for word in words {
        let text = word.to_string_lossy().into_owned();
        let with_value = PATH_OPTIONS.iter().find_map(|option| {
            let value = text.strip_prefix(option)?.strip_prefix('=')?;
            Some((*option, value.to_owned()))
        });
        absolute.push(match with_value {
            Some((option, value)) => format!("{option}={}", std::path::absolute(value)?.display()).into(),
            None if is_path => std::path::absolute(&word)?.into_os_string(),
            None => word,
        });
        is_path = PATH_OPTIONS.contains(&text.as_str());
    }
    Ok(absolute)
}

/// Whether root owns it.
fn is_roots(metadata: &Metadata) -> bool {
    metadata.uid() == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn of_the_environment_only_what_is_known_is_kept() {
        for name in ["PATH", "LOGNAME", "SUDO_USER", "CONGTHU_CONFIG", "RUST_BACKTRACE"] {
            assert!(is_kept(OsStr::new(name)), "{name}");
        }
        for name in
            ["PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD", "RUSTY", "XCONGTHU_A", "path", "BASH_ENV"]
        {
            assert!(!is_kept(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_file_that_a_command_takes_is_opened_before_root_is_left() {
        let read = |words: &str| {
            let arguments = Arguments::try_parse_from(words.split(' ')).unwrap();
            file_read(&arguments.command).map(Path::to_path_buf)
        };
        assert_eq!(read("congthu mailbox add-many 1"), Some("1".into()));
        assert_eq!(read("congthu request attach 1 cv.pdf"), Some("cv.pdf".into()));
        assert_eq!(read("congthu review answer 1 rs.csv"), Some("rs.csv".into()));
        assert_eq!(read("congthu sieve put --domain a.vn x x.sieve"), Some("x.sieve".into()));
        let leave = "mailbox leave a@b.vn --reason R --from 2026-12-01 --to 2026-12-02 --answer";
        assert_eq!(read(&format!("congthu {leave} @away.txt")), Some("away.txt".into()));
        for words in [
            "mailbox add-many -",
            "review answer 1 --all-confirmed",
            "request attach 1 - --file-name cv.pdf",
            "sieve put --domain a.vn x -",
            "sieve show --domain a.vn x",
            &format!("{leave} away.txt"),
            &format!("{leave} @-"),
        ] {
            assert_eq!(read(&format!("congthu {words}")), None, "{words}");
        }
        for words in ["congthu request attach 1 1", "congthu request attach -- 1 1"] {
            let child = called(words.split(' ').map(OsString::from).collect(), Path::new("1"));
            let Verb::Request { command: RequestCommand::Attach { number, file, file_name, .. } } =
                Arguments::try_parse_from(child).unwrap().command
            else {
                panic!("{words}");
            };
            assert_eq!((number, file, file_name), (1, "1".into(), Some("1".into())), "{words}");
        }
    }

    #[test]
    fn paths_become_absolute_wherever_the_option_stands() {
        let words = ["--config=a.toml", "mailbox", "list", "--config", "b.toml", "--data-dir", "/c", "d"];
        let absolute = absolute_paths(words.into_iter().map(OsString::from)).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(absolute[0], OsString::from(format!("--config={}/a.toml", here.display())));
        assert_eq!(absolute[4], here.join("b.toml"));
        assert_eq!(absolute[6..], ["/c", "d"]);
    }
}
