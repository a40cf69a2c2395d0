//! What a script may be and do at most, so that no script costs more than a message is worth. Counted, never timed: the
//! same script ends at the same place on every machine.

/// Octets of a script. Thunderbird's and Roundcube's largest are a tenth of it.
pub const SCRIPT_OCTETS_MAX: usize = 256 * 1024;
/// Blocks, tests and lists within each other (RFC 5228 2.10.5 asks for 15 of each).
pub const NESTING_MAX: usize = 32;
/// Commands and tests of a script.
pub const COMMANDS_MAX: usize = 10_000;
/// Strings of one list.
pub const LIST_MAX: usize = 2_000;
/// What a run may cost, in units of some 50 ns. About a tenth of a second at worst; a script of a hundred rules takes a few thousand.
pub const COST_MAX: u64 = 2_000_000;
/// Things to be done with one message.
pub const ACTIONS_MAX: usize = 64;
