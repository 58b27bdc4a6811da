//! When access is asked for, compared with the dates in scripts and in tags.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::Environment;
use super::super::limits::ScriptFault;
use crate::dates::{DateFormat, Reading, named_zone};

/// A side of a range: open, a moment, or a text that is no date.
enum Side {
    Open,
    At(i64),
    Unreadable(String),
}

/// Whether access is asked for after `from` and before `to`. The start of a range with two ends belongs to it.
pub(super) fn is_between(
    env: &dyn Environment,
    from: Option<&str>,
    to: Option<&str>,
    zone: Option<&str>,
) -> Result<bool, ScriptFault> {
    let zone = zone.filter(|zone| !zone.trim().is_empty()).map(named_zone);
    let sides = [side(env, from, zone.as_ref()), side(env, to, zone.as_ref())];
    let at = env.access_time().as_millisecond();
    if env.answers_as_ranger() {
        // A date before 1970 counts as none, and so does what is no date.
        let [from, to] = sides.map(|side| match side {
            Side::At(at) => at,
            Side::Open | Side::Unreadable(_) => -1,
        });
        return Ok(if to < 0 {
            at > from
        } else if from < 0 {
            at < to
        } else {
            at >= from && at < to
        });
    }
    match sides {
        [Side::Unreadable(text), _] | [_, Side::Unreadable(text)] => {
            Err(ScriptFault::thrown(format!("`{text}` is no date; write it as `2020/12/31 23:59:59`")))
        }
        [Side::Open, Side::Open] => Err(ScriptFault::thrown("a comparison with the access time needs a date")),
        [Side::At(from), Side::Open] => Ok(at > from),
        [Side::Open, Side::At(to)] => Ok(at < to),
        [Side::At(from), Side::At(to)] => Ok(at >= from && at < to),
    }
}

fn side(env: &dyn Environment, text: Option<&str>, zone: Option<&TimeZone>) -> Side {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Side::Open;
    };
    let server = env.time_zone();
    let formats = ["yyyy/MM/dd HH:mm:ss", "yyyy/MM/dd HH:mm", "yyyy/MM/dd"];
    let formats = formats.into_iter().filter_map(DateFormat::new);
    let Some(read) = formats.into_iter().find_map(|format| format.read(text, &server, Reading::Lenient)) else {
        return Side::Unreadable(text.to_owned());
    };
    let shift = zone.map_or(0, |zone| {
        // Both offsets are those at the moment as the server reads it.
        i64::from(server.to_offset(read).seconds() - zone.to_offset(read).seconds()) * 1000
    });
    Side::At(read.as_millisecond().saturating_add(shift))
}

/// The date that the attribute of a tag means.
pub(super) fn date(env: &dyn Environment, text: Option<&str>) -> Option<Timestamp> {
    env.date_formats().read(text?, &env.time_zone())
}

/// Whether access is asked for at that date or later; so it is where there is no date.
pub(super) fn is_after(env: &dyn Environment, date: Option<Timestamp>) -> bool {
    date.is_none_or(|date| env.access_time().as_millisecond() >= date.as_millisecond())
}

/// Whether access is asked for at that date or earlier; so it is not where there is no date.
pub(super) fn is_before(env: &dyn Environment, date: Option<Timestamp>) -> bool {
    date.is_some_and(|date| env.access_time().as_millisecond() <= date.as_millisecond())
}
