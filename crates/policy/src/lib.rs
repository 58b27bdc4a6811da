//! Decides who may see what, as Apache Ranger decides it, and gives nothing away where that can't be decided.
//!
//! ```text
//! Ranger's documents ─► json ─► model ─► Engine::new ─► Engine ─► evaluate(Request) ─► Decision, Explanation
//!   policies, tags,             plain     names as numbers,          │ zone
//!   roles, zones,               data      values as matchers,        │ tags and their policies
//!   shares, changes                       a tree that finds them     │ policies on the resource
//!                                                                    └ shares, rules about auditing
//! ```
//! Nothing here does I/O or looks at a clock: documents are texts, the time of a request is part of it. An [`Engine`]
//! does not change; [`Engine::update`] makes the next one, and [`Current`] puts it in the place of the last.
//!
//! [`Mode::Compat`] answers exactly as Ranger. [`Mode::Closed`], the default, differs where Ranger lets through what it
//! can't decide: a condition of an unknown kind, a script that fails, a missing address, a letter case that matches
//! nothing, tags that were never loaded.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unreachable,
        clippy::todo
    )
)]

mod access_info;
mod acl;
mod audit;
mod compare;
mod condition;
mod current;
mod dates;
mod decision;
mod definitions;
mod document;
mod engine;
mod evaluate;
mod explain;
mod facts;
mod gds;
mod geo;
mod index;
pub mod json;
mod matcher;
pub mod model;
mod names;
mod policy;
mod repository;
mod request;
mod resource;
mod roles;
pub mod script;
mod service;
mod short;
mod tags;
pub mod testing;

pub mod validity;
mod verdict;
mod wanted;
mod zones;

pub use access_info::AccessInfo;
pub use acl::{AclEntry, AclOutcome, AclResult, AclTable, Acls};
pub use compare::{Alike, COMPARED_CASES_MAX, COMPARED_NAMES_MAX, Change, Comparison, Principal, compare};
pub use current::{Current, Reader};
pub use decision::{CLOSED_FILTER, CLOSED_MASK, Decision, Mask};
pub use document::{Document, DocumentError};
pub use engine::{Defect, Engine, Mode, Options, RowFilters, Sources};
pub use evaluate::RESOURCE_LEVELS_MAX;
pub use explain::{Explanation, ItemList, ItemStep, Missing, PolicyOutcome, PolicyStep, Step};
pub use gds::{Parts, Principals, Shared};
pub use geo::Geolocation;
pub use index::INDEX_PLACES_MAX;
pub use matcher::{ElementScope, SHAPE_CHARS_MAX, SHAPE_STATES_MAX, Values};
pub use request::{
    ADMIN_ACCESS, ANY_ACCESS, CURRENT_USER, PUBLIC_GROUP, RESOURCE_OWNER, Request, RequestedAccesses,
    RequestedResource, ResourceScope, ResourceTag, SUPER_USER_ACCESS, TagData,
};
pub use resource::MatchType;
