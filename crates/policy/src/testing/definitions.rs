//! What test files name without having it, because Ranger's own library has it: service definitions, and the sample of a
//! table of addresses.

use crate::json::{ReadError, read};
use crate::model::ServiceDef;

const HIVE: &str = include_str!("definitions/hive.json");

const GEOLOCATION_FILE: &str = "/etc/ranger/geo/geo.txt";
const GEOLOCATION: &str = include_str!("definitions/geo.csv");

/// A file that Ranger's library brings along.
pub(super) fn library_file(path: &str) -> Option<String> {
    (path == GEOLOCATION_FILE).then(|| GEOLOCATION.to_owned())
}

/// The definition of a kind of service; an empty one, if it is not known, whose resources match nothing.
pub(super) fn definition(kind: &str) -> Result<ServiceDef, ReadError> {
    match kind {
        "hive" => read(HIVE),
        kind => Ok(ServiceDef { name: kind.to_owned(), ..ServiceDef::default() }),
    }
}
