//! Passwords that we make for people: easy to read out and type, too many to guess.

use model::Rng;

/// Without those that look alike (0 O o, 1 l I) in any font.
const UPPER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
const LOWER: &[u8] = b"abcdefghijkmnpqrstuvwxyz";
const DIGIT: &[u8] = b"23456789";
/// Groups of four, as in `Kdw7-Qhm3-Trx9-Wba4`: 16 characters, 67 bits.
const GROUPS: usize = 4;

/// A new password with capitals, small letters, digits and a hyphen, which every profile's rules accept.
pub(crate) fn make(rng: &dyn Rng) -> String {
    let groups: Vec<String> = (0..GROUPS)
        .map(|_| [UPPER, LOWER, LOWER, DIGIT].iter().map(|set| char::from(pick(rng, set))).collect())
        .collect();
    groups.join("-")
}

/// One of `set` (at most 256), each as likely as another.
fn pick(rng: &dyn Rng, set: &[u8]) -> u8 {
    let fair = 256 - 256 % set.len();
    loop {
        let mut byte = [0];
        rng.fill(&mut byte);
        let [byte] = byte;
        let number = usize::from(byte);
        // Bytes past the last whole multiple would favour the first of the set.
        if number < fair
            && let Some(chosen) = set.get(number % set.len())
        {
            return *chosen;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_differ_and_have_every_kind() {
        let made: std::collections::HashSet<String> = (0..100).map(|_| make(&crate::system::OsRng)).collect();
        assert_eq!(made.len(), 100);
        for password in made {
            assert_eq!(password.len(), 19, "{password}");
            assert!(
                password.bytes().any(|b| b.is_ascii_uppercase())
                    && password.bytes().any(|b| b.is_ascii_digit())
            );
        }
    }
}
