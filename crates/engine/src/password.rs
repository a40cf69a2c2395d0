//! Passwords: argon2id, bounded in how many are computed at once, with a short memory of those just verified.
//!
//! Invariants: a plain password is never kept, only a keyed hash of it for the short memory and the back-off; an unknown mailbox costs
//! the same work as a known one.

use crate::throttle::Mark;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use jiff::{SignedDuration, Timestamp};
use model::password_rules::{PASSWORD_BYTES_MAX, normalised};
use model::{AccountId, Rng};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// 19 MiB, two passes, one lane: the OWASP minimum for argon2id, about 30 ms.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How long a verified password is remembered: mail clients open several connections in a row.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(5);
/// Remembered log-ins at most; beyond, all are forgotten, which costs only time.
const REMEMBERED_MAX: usize = 50_000;

#[derive(Debug)]
pub(crate) struct Passwords {
    /// As many at once as there are processors, so that log-ins cannot take all memory.
    at_once: Arc<Semaphore>,
    key: [u8; 32],
    verified: Mutex<HashMap<[u8; 32], Timestamp>>,
    /// Verified against when there is no mailbox.
    decoy: String,
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The PHC string of a new password.
fn hash(password: &str, rng: &dyn Rng) -> String {
    let mut salt = [0; 16];
    rng.fill(&mut salt);
    argon2()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash: PasswordHash| hash.to_string())
        .unwrap_or_default()
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Of a one-time password: 14 characters that we drew, some 80 bits. No work that a hash takes makes it harder to guess, so
/// ten thousand of an import are hashed in a moment (docs/adr/0018). Never for what a person chose.
const ONE_TIME_MEMORY_KIB: u32 = 8;
const ONE_TIME_PASSES: u32 = 1;

/// The PHC string of a password made by [`one_time`]; nothing when it cannot be made.
pub(crate) fn hash_one_time(password: &str, rng: &dyn Rng) -> Option<String> {
    let mut salt = [0; 16];
    rng.fill(&mut salt);
    let params = Params::new(ONE_TIME_MEMORY_KIB, ONE_TIME_PASSES, LANES, None).ok()?;
    let quick = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = quick.hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Is it a hash of less work than others, so that its check alone would tell by its time that this mailbox is new?
fn is_quick(hash: &str) -> bool {
    let memory = PasswordHash::new(hash).ok().and_then(|hash| hash.params.get_decimal("m"));
    memory.is_some_and(|memory| memory < MEMORY_KIB)
}

/// A hash made before passwords were normalised is of the letters as they were typed. Both are tried whatever the first says: by its time
/// alone, who is kept out with the right password would know that it is.
fn verify_any_form(password: &str, hash: &str) -> bool {
    let composed = normalised(password);
    let is_composed = verify(&composed, hash);
    let is_as_typed = composed != password && verify(password, hash);
    is_composed || is_as_typed
}

impl Passwords {
    pub(crate) fn new(rng: &dyn Rng) -> Self {
        let mut key = [0; 32];
        rng.fill(&mut key);
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            at_once: Arc::new(Semaphore::new(processors)),
            key,
            verified: Mutex::default(),
            decoy: hash("decoy", rng),
        }
    }

    /// Is it the password behind `stored`? Without a stored hash the answer is no, after the same work. `remembered`: now, for who may
    /// be answered from memory; `None` makes it the same work for a right password, too.
    pub(crate) async fn verify(
        &self,
        account: Option<AccountId>,
        stored: Option<&str>,
        password: &str,
        remembered: Option<Timestamp>,
    ) -> bool {
        if password.len() > PASSWORD_BYTES_MAX {
            return false;
        }
        let memory = account.zip(stored).map(|(account, stored)| self.memory_key(account, stored, password));
        if let (Some(key), Some(now)) = (&memory, remembered)
            && self.remembers(key, now)
        {
            return true;
        }
        let (password, hashes) = (password.to_owned(), self.work(stored));
        let check = move || hashes.iter().fold(false, |_, hash| verify_any_form(&password, hash));
        let right = self.compute(check).await.unwrap_or(false);
        let Some(key) = memory.filter(|_| right) else { return false };
        if let Some(now) = remembered {
            self.remember(key, now);
        }
        true
    }

    /// What a password is verified against: the last decides, and the work is the same whatever is stored.
    fn work(&self, stored: Option<&str>) -> Vec<String> {
        match stored {
            None => vec![self.decoy.clone()],
            Some(quick) if is_quick(quick) => vec![self.decoy.clone(), quick.to_owned()],
            Some(hash) => vec![hash.to_owned()],
        }
    }

    /// Is it the password behind one of `hashes`, which are few?
    pub(crate) async fn is_one_of(&self, hashes: Vec<String>, password: &str) -> bool {
        let password = password.to_owned();
        self.compute(move || hashes.iter().any(|hash| verify_any_form(&password, hash))).await.unwrap_or(true)
    }

    /// The PHC string of a new password.
    pub(crate) async fn hash(&self, password: &str, rng: Arc<dyn Rng>) -> Option<String> {
        let password = normalised(password);
        self.compute(move || hash(&password, &*rng)).await.filter(|hash| !hash.is_empty())
    }

    /// The permit goes along with the work: a caller that gives up does not end it, so must not let another begin.
    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let permit = self.at_once.clone().acquire_owned().await.ok()?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.ok()
    }

    /// Changes with the stored hash, so a changed password is never answered from memory.
    fn memory_key(&self, account: AccountId, stored: &str, password: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&account.0.to_be_bytes());
        hasher.update(&(stored.len() as u64).to_be_bytes());
        hasher.update(stored.as_bytes());
        hasher.update(password.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// To find out whether a wrong password is the one before.
    pub(crate) fn mark(&self, password: &str) -> Mark {
        let hash = blake3::keyed_hash(&self.key, password.as_bytes());
        *hash.as_bytes().first_chunk().unwrap_or(&[0; 8])
    }

    fn remembers(&self, key: &[u8; 32], now: Timestamp) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(key).is_some_and(|at| now.duration_since(*at).abs() < REMEMBERED)
    }

    fn remember(&self, key: [u8; 32], now: Timestamp) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED_MAX {
            verified.retain(|_, at| now.duration_since(*at).abs() < REMEMBERED);
        }
        if verified.len() >= REMEMBERED_MAX {
            verified.clear();
        }
        verified.insert(key, now);
    }
}

/// Characters of a one-time password: none that look alike on paper.
const ALPHABET: &[u8; 54] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz234679";
const ONE_TIME_LENGTH: usize = 14;

/// A password that is printed once; it has upper, lower, digit and special as the regulations ask (Sóc Trăng 59/2024
/// Điều 8.1).
pub(crate) fn one_time(rng: &dyn Rng) -> String {
    loop {
        let mut bytes = [0; ONE_TIME_LENGTH];
        rng.fill(&mut bytes);
        // 216 = 4 × 54: above it the remainder would favour the first letters.
        if bytes.iter().any(|byte| usize::from(*byte) >= 4 * ALPHABET.len()) {
            continue;
        }
        let text: String = bytes
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
            .map(|b| char::from(*b))
            .collect();
        let has = |test: fn(&char) -> bool| text.chars().any(|c| test(&c));
        if has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit) {
            return format!("{}-{}", text.get(..7).unwrap_or_default(), text.get(7..).unwrap_or_default());
        }
    }
}

#[cfg(test)]
impl Passwords {
    /// All places, so that nothing is computed while they are held.
    pub(crate) async fn occupy(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(self.at_once.available_permits()).unwrap();
        Arc::clone(&self.at_once).acquire_many_owned(all).await.unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::CountingRng;
    use std::sync::mpsc;

    #[tokio::test]
    async fn composed_and_decomposed_are_one_password_and_old_hashes_stay_right() {
        let rng = CountingRng::default();
        let (composed, decomposed) = ("M\u{1ead}t 1!", "Ma\u{323}\u{302}t 1!");
        let passwords = Passwords::new(&rng);
        let stored = passwords.hash(decomposed, Arc::new(CountingRng::default())).await.unwrap();
        let old = hash(decomposed, &rng);
        for (typed, hash, right) in [
            (composed, &stored, true),
            (decomposed, &stored, true),
            (decomposed, &old, true),
            ("Mat 1!", &stored, false),
        ] {
            let now = Timestamp::UNIX_EPOCH;
            assert_eq!(
                passwords.verify(Some(AccountId(1)), Some(hash), typed, Some(now)).await,
                right,
                "{typed}"
            );
        }
    }

    /// Of a one-time password the hash is little work, and of none there is no hash.
    #[test]
    fn the_work_is_the_same_whatever_is_stored() {
        let rng = CountingRng::default();
        let passwords = Passwords::new(&rng);
        let cost = |stored: Option<&str>| {
            let each = passwords.work(stored).into_iter().map(|hash| {
                let hash = PasswordHash::new(&hash).unwrap();
                let parameter = |name| hash.params.get_decimal(name).unwrap();
                parameter("m") * parameter("t")
            });
            each.sum::<u32>()
        };
        let of_people = cost(Some(&hash("Mật khẩu 1", &rng)));
        assert_eq!(of_people, MEMORY_KIB * PASSES);
        assert_eq!(cost(None), of_people);
        let quick = hash_one_time("abc", &rng).unwrap();
        let of_one_time = cost(Some(&quick));
        assert!(of_one_time >= of_people && of_one_time - of_people < of_people / 1_000);
        assert_eq!(passwords.work(Some(&quick)).last(), Some(&quick));
    }

    /// Whoever gives up waiting leaves the work going on; it must go on counting.
    #[tokio::test]
    async fn work_nobody_waits_for_still_counts() {
        let mut passwords = Passwords::new(&CountingRng::default());
        passwords.at_once = Arc::new(Semaphore::new(1));
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (finish, may_finish) = mpsc::channel::<()>();
        let work = passwords.compute(move || {
            started.send(()).unwrap();
            may_finish.recv().unwrap();
        });
        tokio::select! {
            _ = work => panic!("it was not allowed to finish"),
            started = has_started => started.unwrap(),
        }
        assert_eq!(passwords.at_once.available_permits(), 0);
        finish.send(()).unwrap();
        assert!(passwords.hash("mật khẩu", Arc::new(CountingRng::default())).await.is_some());
    }
}
