//! The generator of all hostile messages: small, seeded, the same on every machine, so that a failure names the one
//! number that makes it again.

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) struct Prng(pub(super) u64);

impl Prng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number from 0 to `end - 1`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// True once in `times`.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(count).collect()
    }
}

/// Octets of a flood that are made piece by piece.
const MADE_OF_PIECES: usize = 64 * 1024;

/// A message in the making.
pub(super) struct Mail<'a> {
    pub(super) rng: &'a mut Prng,
    pub(super) out: Vec<u8>,
    /// Octets it is to have.
    pub(super) size: usize,
}

impl<'a> Mail<'a> {
    pub(super) fn new(rng: &'a mut Prng, size: usize) -> Self {
        Self { rng, out: Vec::with_capacity(size + 1_024), size }
    }

    pub(super) fn push(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        self.out.extend_from_slice(text.as_ref());
        self
    }

    /// One of `from`.
    pub(super) fn pick(&mut self, from: &[&str]) -> &mut Self {
        let picked = self.rng.pick(from);
        self.push(picked)
    }

    /// As `fill`, for small pieces: behind the first octets what follows is put together from what there is, which
    /// costs a large message no more than a copy.
    pub(super) fn flood(&mut self, mut more: impl FnMut(&mut Self, usize)) {
        let (size, start) = (self.size, self.out.len());
        self.size = size.min(start + MADE_OF_PIECES);
        self.fill(&mut more);
        self.size = size;
        while self.out.len() < size {
            let length = 1 + self.rng.below(self.out.len() - start);
            let from = start + self.rng.below(self.out.len() - start - length + 1);
            self.out.extend_from_within(from..from + length);
        }
    }

    /// Calls `more` until the message has its size.
    pub(super) fn fill(&mut self, mut more: impl FnMut(&mut Self, usize)) {
        let mut round = 0;
        while self.out.len() < self.size {
            let before = self.out.len();
            more(self, round);
            assert!(self.out.len() > before, "a generator that writes nothing");
            round += 1;
        }
    }
}
