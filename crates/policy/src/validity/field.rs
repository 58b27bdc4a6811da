//! The fields of a recurrence, and what their texts match.

use super::RecurrenceSchedule;

/// One field of a recurrence. Months are counted from 0 inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Minute,
    Hour,
    DayOfMonth,
    DayOfWeek,
    Month,
    Year,
}

impl Field {
    pub(super) const ALL: [Self; 6] =
        [Self::Minute, Self::Hour, Self::DayOfMonth, Self::DayOfWeek, Self::Month, Self::Year];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "dayOfMonth",
            Self::DayOfWeek => "dayOfWeek",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The least and the greatest number, months from 0.
    pub(super) fn range(self) -> (i32, i32) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::DayOfWeek => (1, 7),
            Self::Month => (0, 11),
            Self::Year => (2017, 2100),
        }
    }

    /// The same as authors write it: months from 1.
    pub(super) fn written_range(self) -> (i32, i32) {
        let (least, greatest) = self.range();
        let shift = i32::from(self == Self::Month);
        (least + shift, greatest + shift)
    }

    /// What may stand in the text besides digits and white space.
    pub(super) fn signs(self) -> &'static str {
        if self == Self::Minute { "," } else { "*,-" }
    }

    pub(super) fn text(self, schedule: &RecurrenceSchedule) -> &str {
        let text = match self {
            Self::Minute => &schedule.minute,
            Self::Hour => &schedule.hour,
            Self::DayOfMonth => &schedule.day_of_month,
            Self::DayOfWeek => &schedule.day_of_week,
            Self::Month => &schedule.month,
            Self::Year => &schedule.year,
        };
        text.as_deref().unwrap_or_default()
    }
}

/// The numbers that a field's text means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Numbers {
    /// It says nothing.
    Unsaid,
    All,
    Ranges(Box<[(i32, i32)]>),
}

impl Numbers {
    pub(super) fn new(field: Field, text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::Unsaid);
        }
        let shift = i32::from(field == Field::Month);
        let number = |part: &str| {
            let read = part.trim().parse::<i32>();
            read.map(|number| number - shift).map_err(|_| format!("`{part}` is no number in `{}`", field.name()))
        };
        let mut ranges = Vec::new();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            // What is empty behind the last sign does not count; what is empty before it is no number.
            let mut sides = part.trim_end_matches('-').split('-').map(str::trim);
            match (sides.next().unwrap_or_default(), sides.next()) {
                ("*", _) | (_, Some("*")) => return Ok(Self::All),
                (one, None) => ranges.push((number(one)?, number(one)?)),
                (from, Some(to)) => ranges.push((number(from)?, number(to)?)),
            }
        }
        Ok(if ranges.is_empty() { Self::Unsaid } else { Self::Ranges(ranges.into()) })
    }

    fn contains(&self, number: i32) -> bool {
        match self {
            Self::Unsaid => false,
            Self::All => true,
            Self::Ranges(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&number)),
        }
    }

    /// The closest number that is not greater than `now`, and whether it is one of the round before, whose greatest
    /// number is `greatest`. None if there is none in a whole round.
    pub(super) fn closest(&self, field: Field, now: i32, greatest: i32) -> Option<(i32, bool)> {
        let (least, most) = field.range();
        let mut number = now;
        if *self == Self::Unsaid {
            // Nothing is borrowed here, even where the round ended.
            return Some((if number < least { greatest } else { number }, false));
        }
        let mut borrowed = false;
        for _ in least..=most {
            if number < least {
                number = greatest;
                borrowed = true;
            }
            if self.contains(number) {
                return Some((number, borrowed));
            }
            number -= 1;
        }
        None
    }
}
