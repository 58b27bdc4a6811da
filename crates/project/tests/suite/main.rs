//! The tests of project files, as data: bad files and what is said of them.

mod base;
mod checked_policies;
mod codes;
mod concepts;
mod limits;
mod model;
mod policies;
mod random;
mod refused;
mod refused_policies;
mod sarif;
mod schema;
mod source_tables;
