//! Names in an archive, of folders that people named and subjects that strangers wrote.
//!
//! Invariants: no path leaves the archive, on any system; no two are one, where case is not told apart either; a name is in NFC, so that it
//! is written and found in one way.

use model::{DELIMITER, FolderName};
use std::collections::{HashMap, HashSet};
use unicode_normalization::UnicodeNormalization as _;

/// Characters of one part of a path; with marks and an ending none has 255 octets.
const CHARS_MAX: usize = 60;
/// What Windows keeps for itself, with or without an ending.
const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// What Windows takes in no name, and what parts paths anywhere.
const REFUSED: [char; 9] = ['/', '\\', ':', '*', '?', '"', '<', '>', '|'];

#[derive(Debug)]
pub(super) struct Names {
    /// Folder by name: its directory, with a slash at its end.
    directories: HashMap<String, String>,
    /// In the order in which they are made.
    order: Vec<String>,
    /// Every directory, and the names at the top, in lower case.
    taken: HashSet<String>,
    /// Where messages go now, and their paths there, in lower case.
    here: (String, HashSet<String>),
    /// Of titles that came before in the folder, the number to try next: a hundred thousand may have one title.
    numbers: HashMap<String, u64>,
}

impl Names {
    /// With directories for all folders, so that no message takes the name of one. `top`: a file at the top.
    pub(super) fn new(top: &str, folders: &[&FolderName]) -> Self {
        let mut names = Self {
            directories: HashMap::new(),
            order: Vec::new(),
            taken: HashSet::from([top.to_lowercase()]),
            here: (String::new(), HashSet::new()),
            numbers: HashMap::new(),
        };
        for folder in folders {
            names.directory(folder.as_str());
        }
        names
    }

    /// Of all folders, each after what it lies in.
    pub(super) fn directories(&self) -> &[String] {
        &self.order
    }

    /// The folder that messages come into from now on.
    pub(super) fn begin(&mut self, folder: &FolderName) {
        let directory = self.directories.get(folder.as_str()).cloned().unwrap_or_default();
        self.here = (directory, HashSet::new());
        self.numbers.clear();
    }

    /// The path of a message with this title.
    pub(super) fn message(&mut self, title: &str) -> String {
        let (directory, files) = &mut self.here;
        let is_free = |path: &str, files: &HashSet<String>| {
            let key = path.to_lowercase();
            !self.taken.contains(&key) && !files.contains(&key)
        };
        let name = safe(title);
        let number = self.numbers.entry(name.to_lowercase()).or_default();
        let path = first_free((directory, &name, ".eml"), number, |path| is_free(path, files));
        files.insert(path.to_lowercase());
        path
    }

    fn directory(&mut self, folder: &str) -> String {
        if let Some(known) = self.directories.get(folder) {
            return known.clone();
        }
        let (above, level) = match folder.rsplit_once(DELIMITER) {
            Some((above, level)) => (self.directory(above), level),
            None => (String::new(), folder),
        };
        let is_free = |path: &str| !self.taken.contains(&path.to_lowercase());
        let path = first_free((&above, &safe(level), ""), &mut 0, is_free);
        self.taken.insert(path.to_lowercase());
        let directory = format!("{path}/");
        self.order.push(directory.clone());
        self.directories.insert(folder.to_owned(), directory.clone());
        directory
    }
}

/// `name`, or with a number behind it, from `number` on, which is then the next.
fn first_free(
    (directory, name, ending): (&str, &str, &str),
    number: &mut u64,
    is_free: impl Fn(&str) -> bool,
) -> String {
    loop {
        *number += 1;
        let path = match *number {
            1 => format!("{directory}{name}{ending}"),
            number => format!("{directory}{name} ({number}){ending}"),
        };
        if is_free(&path) {
            return path;
        }
    }
}

/// As one part of a path.
fn safe(name: &str) -> String {
    let shown = name.nfc().map(|c| if c.is_control() || REFUSED.contains(&c) { '_' } else { c });
    let short: String = shown.filter(|c| !is_hidden(*c)).take(CHARS_MAX).collect();
    // Windows drops points and spaces at an end; what begins with a point is hidden elsewhere.
    let trimmed = short.trim().trim_end_matches(['.', ' ']).trim_start_matches('.').trim();
    let stem = trimmed.split('.').next().unwrap_or_default().trim().to_lowercase();
    let is_port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt")).is_some_and(|rest| {
        let mut rest = rest.chars();
        rest.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c)) && rest.next().is_none()
    });
    if trimmed.is_empty() || is_port || RESERVED.contains(&&*stem) {
        format!("_{trimmed}")
    } else {
        trimmed.to_owned()
    }
}

/// Is nothing to be seen, but turns what is around it (U+202E and its kin)?
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folders: &[&str]) -> Names {
        let folders: Vec<FolderName> = folders.iter().map(|name| FolderName::new(name).unwrap()).collect();
        Names::new("danh-muc.csv", &folders.iter().collect::<Vec<_>>())
    }

    #[test]
    fn no_name_leaves_the_archive_or_is_a_device() {
        for (name, wanted) in [
            ("..", "_"),
            (".", "_"),
            ("", "_"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("..\\..\\a", "_.._a"),
            ("C:\\a", "C__a"),
            ("a\0b\r\nc", "a_b__c"),
            ("con", "_con"),
            ("Aux.txt", "_Aux.txt"),
            ("COM1", "_COM1"),
            ("lpt².x", "_lpt².x"),
            ("common", "common"),
            ("cuối. . ", "cuối"),
            ("~", "~"),
            ("gpj.\u{202e}exe", "gpj.exe"),
            ("Tie\u{302}\u{301}ng Vie\u{323}\u{302}t", "Tiếng Việt"),
        ] {
            assert_eq!(safe(name), wanted, "{name:?}");
        }
        assert!(safe(&"ế".repeat(500)).len() <= 200);
    }

    #[test]
    fn folders_and_messages_are_kept_apart() {
        let mut names =
            names(&["INBOX", "Dự án/Cầu", "dự án", "danh-muc.csv", "INBOX/x.eml", "../a", ".._a"]);
        assert_eq!(
            names.directories(),
            [
                "INBOX/",
                "Dự án/",
                "Dự án/Cầu/",
                "dự án (2)/",
                "danh-muc.csv (2)/",
                "INBOX/x.eml/",
                "_/",
                "_/a/",
                "_a/"
            ]
        );
        let folder = |name: &str| FolderName::new(name).unwrap();
        names.begin(&folder("INBOX"));
        assert_eq!(names.message("x"), "INBOX/x (2).eml");
        assert_eq!(names.message("Giấy mời"), "INBOX/Giấy mời.eml");
        assert_eq!(names.message("GIẤY MỜI"), "INBOX/GIẤY MỜI (2).eml");
        names.begin(&folder("Dự án/Cầu"));
        assert_eq!(names.message("Giấy mời"), "Dự án/Cầu/Giấy mời.eml");
    }
}
