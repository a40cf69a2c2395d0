//! What one client may make us hold, as numbers that the driver chooses by the session's state.

/// Bounds on what a client sends. `BEFORE_LOGIN` and `AFTER_LOGIN` are what we use; tests use smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one command with its line ends and literals, the APPEND message apart.
    pub command_bytes: usize,
    /// Octets of one literal inside a command.
    pub literal_bytes: u64,
    /// Literals inside one command.
    pub literals: usize,
    /// Octets of an APPEND message; zero where APPEND is not allowed yet.
    pub append_bytes: u64,
    /// Octets read and thrown away to get behind a refused command before we rather hang up.
    pub swallow_bytes: u64,
}

impl Limits {
    /// Anybody can connect, so a stranger gets what LOGIN, ID and a SASL response need and no more;
    /// Kerberos tickets, the largest of SASL, are not offered.
    pub const BEFORE_LOGIN: Self = Self {
        command_bytes: 8 << 10,
        literal_bytes: 4 << 10,
        literals: 16,
        append_bytes: 0,
        swallow_bytes: 64 << 10,
    };

    /// RFC 2683 3.2.1.5 asks for 8,000 octets; clients that name 30,000 uids one by one send 250 KB.
    /// Literals carry mailbox names and search strings: 64 KB is beyond both. `append_bytes` is to be set.
    pub const AFTER_LOGIN: Self = Self {
        command_bytes: 512 << 10,
        literal_bytes: 64 << 10,
        literals: 1_000,
        append_bytes: 0,
        swallow_bytes: 16 << 20,
    };
}
