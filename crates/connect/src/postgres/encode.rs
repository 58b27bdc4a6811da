//! Rows in the binary form of COPY (PostgreSQL's documentation of COPY, "Binary Format", and the send functions of its
//! types): each value exactly as PostgreSQL keeps it, or not at all.

use bytes::{BufMut, Bytes, BytesMut};
use lockgate_model::RowId;

use crate::cells::{Cells, TypedBatch};

/// What is sent at once, in bytes; rows are never cut.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;

/// The signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The number of columns that ends the data.
const TRAILER: i16 = -1;
/// The length that stands for null.
const NULL: i32 = -1;
/// Days and microseconds between 1970-01-01 and 2000-01-01, from which PostgreSQL counts.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;
/// Digits of a numeric are of base 10,000, four decimal digits each.
const NUMERIC_BASE: u128 = 10_000;
const NUMERIC_NEGATIVE: u16 = 0x4000;

/// Rows on their way.
pub(super) struct CopyBuffer(BytesMut);

/// The value of a row can't be kept.
pub(super) struct NotStorable {
    pub(super) column: usize,
}

impl CopyBuffer {
    /// Begins the data.
    pub(super) fn new() -> Self {
        let mut buffer = BytesMut::with_capacity(BATCH_BYTES_MAX);
        buffer.extend_from_slice(HEADER);
        Self(buffer)
    }

    /// Adds a row with its id.
    pub(super) fn push(&mut self, batch: &TypedBatch<'_>, row: usize, row_id: RowId) -> Result<(), NotStorable> {
        let buffer = &mut self.0;
        // A table has at most 1,600 columns.
        buffer.put_i16(i16::try_from(batch.columns().len() + 1).map_err(|_| NotStorable { column: 0 })?);
        for (column, cells) in batch.columns().iter().enumerate() {
            match cells.array().is_valid(row) {
                true => put(buffer, cells, row).ok_or(NotStorable { column })?,
                false => buffer.put_i32(NULL),
            }
        }
        buffer.put_i32(8);
        buffer.put_i64(row_id.to_i64());
        Ok(())
    }

    /// What there is to send, if it is enough to be sent at once.
    pub(super) fn full(&mut self) -> Option<Bytes> {
        (self.0.len() >= BATCH_BYTES_MAX).then(|| self.take())
    }

    /// Ends the data and gives what was not sent.
    pub(super) fn finish(mut self) -> Bytes {
        self.0.put_i16(TRAILER);
        self.0.freeze()
    }

    fn take(&mut self) -> Bytes {
        let taken = self.0.split().freeze();
        self.0.reserve(BATCH_BYTES_MAX);
        taken
    }
}

fn put(buffer: &mut BytesMut, cells: &Cells<'_>, row: usize) -> Option<()> {
    match cells {
        Cells::Text(array) => {
            let text = array.value(row).as_bytes();
            if text.contains(&0) {
                return None;
            }
            buffer.put_i32(i32::try_from(text.len()).ok()?);
            buffer.extend_from_slice(text);
        }
        Cells::BigInt(array) => put_long(buffer, array.value(row)),
        Cells::Integer(array) => {
            buffer.put_i32(4);
            buffer.put_i32(array.value(row));
        }
        Cells::Double(array) => {
            buffer.put_i32(8);
            buffer.put_f64(array.value(row));
        }
        Cells::Boolean(array) => {
            buffer.put_i32(1);
            buffer.put_u8(u8::from(array.value(row)));
        }
        Cells::Date(array) => {
            buffer.put_i32(4);
            buffer.put_i32(array.value(row).checked_sub(EPOCH_DAYS)?);
        }
        Cells::Timestamp(array) => put_long(buffer, array.value(row).checked_sub(EPOCH_MICROS)?),
        Cells::Decimal(array, scale) => put_numeric(buffer, array.value(row), *scale)?,
    }
    Some(())
}

fn put_long(buffer: &mut BytesMut, value: i64) {
    buffer.put_i32(8);
    buffer.put_i64(value);
}

/// A numeric: count of digits, weight of the first one, sign, decimal places, digits.
fn put_numeric(buffer: &mut BytesMut, value: i128, scale: u8) -> Option<()> {
    let unit = 10u128.checked_pow(u32::from(scale))?;
    let (mut whole, mut fraction) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let mut digits: Vec<u16> = Vec::with_capacity(20);
    while whole > 0 {
        digits.push(u16::try_from(whole % NUMERIC_BASE).ok()?);
        whole /= NUMERIC_BASE;
    }
    digits.reverse();
    let mut weight = i16::try_from(digits.len()).ok()? - 1;
    let mut places = u32::from(scale);
    while fraction > 0 {
        let taken = places.min(4);
        places -= taken;
        let below = 10u128.pow(places);
        digits.push(u16::try_from(fraction / below * 10u128.pow(4 - taken)).ok()?);
        fraction %= below;
    }
    // Zeros at either end are not written.
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..leading);
    weight -= i16::try_from(leading).ok()?;
    while digits.last() == Some(&0) {
        digits.pop();
    }
    if digits.is_empty() {
        weight = 0;
    }
    buffer.put_i32(i32::try_from(8 + 2 * digits.len()).ok()?);
    buffer.put_i16(i16::try_from(digits.len()).ok()?);
    buffer.put_i16(weight);
    buffer.put_u16(if value < 0 { NUMERIC_NEGATIVE } else { 0 });
    buffer.put_u16(u16::from(scale));
    digits.iter().for_each(|digit| buffer.put_u16(*digit));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerics_are_digits_of_base_10000() {
        for (value, scale, expected) in [
            (0, 2, &[0, 0, 0, 2][..]),
            (1234, 2, &[2, 0, 0, 2, 12, 3400]),
            (-5, 1, &[1, -1, 0x4000, 1, 5000]),
            (123_456_789, 0, &[3, 2, 0, 0, 1, 2345, 6789]),
            (1, 8, &[1, -2, 0, 8, 1]),
            (100_000_000, 0, &[1, 2, 0, 0, 1]),
        ] {
            let mut buffer = BytesMut::new();
            put_numeric(&mut buffer, value, scale).unwrap();
            let words: Vec<i16> = buffer[4..].chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
            assert_eq!(words, expected, "{value} {scale}");
        }
        let mut buffer = BytesMut::new();
        assert!(put_numeric(&mut buffer, 10i128.pow(38) - 1, 38).is_some());
    }
}
