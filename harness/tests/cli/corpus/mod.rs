//! Dumps of hundreds of real processors, which Debian's source packages have for their own tests: each is read, what `check` finds in it
//! is explained in a table, and what `show` says of it is what libcpuid expects.
//!
//! `scripts/fetch-dumps` brings them. Tables: `unread.tsv` has files that are no CPU's answers, `findings.tsv` explains findings,
//! `expected.tsv` explains where libcpuid and `show` differ. A row that nothing needs is an error, as is what no row explains.

mod expected;
mod fetch;
mod findings;
mod held;
mod rows;
mod shown;
mod signatures;
