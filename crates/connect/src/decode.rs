//! The bytes of a file become UTF-8 in a stream: decompressed, and decoded from the encoding that its dataset declares.
//! What is damaged is an error and never replaced.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{DecoderResult, UTF_16BE, UTF_16LE, WINDOWS_1252};
use flate2::bufread::MultiGzDecoder;
use lockgate_model::{Compression, TextEncoding};

/// How much memory a zstd file may demand for its window, as a power of two.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
const BUFFER_BYTES: usize = 64 * 1024;

/// Reads a file as UTF-8.
///
/// Fails while reading, with [`io::ErrorKind::InvalidData`] or `UnexpectedEof`, on a damaged or cut archive, on bytes
/// after its end, and on what is no text of the encoding.
pub fn decode<'a, R: Read + 'a>(
    source: R,
    compression: Compression,
    encoding: TextEncoding,
) -> io::Result<Box<dyn Read + 'a>> {
    let mut buffered = BufReader::with_capacity(BUFFER_BYTES, source);
    let compression = match compression {
        Compression::Auto => match buffered.fill_buf()? {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            _ => Compression::None,
        },
        declared => declared,
    };
    let plain: Box<dyn Read + 'a> = match compression {
        Compression::Auto | Compression::None => Box::new(buffered),
        Compression::Gzip => Box::new(MultiGzDecoder::new(buffered)),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(buffered)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    };
    let transcoded = |encoding: &'static encoding_rs::Encoding, sniff: bool, source: Box<dyn Read + 'a>| {
        let decoder = if sniff { encoding.new_decoder() } else { encoding.new_decoder_with_bom_removal() };
        Box::new(Transcoded { source, decoder, raw: Vec::new(), text: Vec::new(), at: 0, ended: false })
            as Box<dyn Read + 'a>
    };
    Ok(match encoding {
        TextEncoding::Utf8 => plain,
        TextEncoding::Utf16 => transcoded(UTF_16LE, true, plain),
        TextEncoding::Utf16Le => transcoded(UTF_16LE, false, plain),
        TextEncoding::Utf16Be => transcoded(UTF_16BE, false, plain),
        TextEncoding::Latin1 => Box::new(Latin1 { source: plain, text: Vec::new(), at: 0 }),
        TextEncoding::Windows1252 => transcoded(WINDOWS_1252, false, plain),
    })
}

/// Text of an encoding that `encoding_rs` knows, as UTF-8.
struct Transcoded<'a> {
    source: Box<dyn Read + 'a>,
    decoder: encoding_rs::Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Transcoded<'_> {
    fn refill(&mut self) -> io::Result<()> {
        let before = self.raw.len();
        self.raw.resize(before + BUFFER_BYTES, 0);
        let read = self.source.read(self.raw.get_mut(before..).unwrap_or_default())?;
        self.raw.truncate(before + read);
        self.ended = read == 0;
        self.text.resize(self.raw.len() * 3 + 16, 0);
        let (result, taken, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.raw, &mut self.text, self.ended);
        match result {
            DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
            DecoderResult::Malformed(_, _) => {
                let message = format!("it is no {}: check `encoding:` in the catalog", self.decoder.encoding().name());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        self.raw.drain(..taken);
        self.text.truncate(written);
        self.at = 0;
        Ok(())
    }
}

impl Read for Transcoded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.ended {
            self.refill()?;
        }
        Ok(hand_out(&self.text, &mut self.at, buffer))
    }
}

/// ISO 8859-1 as UTF-8.
struct Latin1<'a> {
    source: Box<dyn Read + 'a>,
    text: Vec<u8>,
    at: usize,
}

impl Read for Latin1<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            let mut raw = vec![0; BUFFER_BYTES];
            let read = self.source.read(&mut raw)?;
            self.text.resize(read * 2, 0);
            let raw = raw.get(..read).unwrap_or_default();
            let written = encoding_rs::mem::convert_latin1_to_utf8(raw, &mut self.text);
            self.text.truncate(written);
            self.at = 0;
        }
        Ok(hand_out(&self.text, &mut self.at, buffer))
    }
}

fn hand_out(text: &[u8], at: &mut usize, buffer: &mut [u8]) -> usize {
    let left = text.get(*at..).unwrap_or_default();
    let count = left.len().min(buffer.len());
    buffer.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
    *at += count;
    count
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8], compression: Compression, encoding: TextEncoding) -> io::Result<String> {
        let mut text = String::new();
        decode(bytes, compression, encoding)?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn archives_are_read_whole_or_not() {
        let text = "id,name\n1,Ä\n".repeat(10_000);
        let zipped = gzip(text.as_bytes());
        let members = [zipped.clone(), gzip(b"more")].concat();
        let frames =
            [zstd::encode_all(text.as_bytes(), 1).unwrap(), zstd::encode_all(&b"more"[..], 1).unwrap()].concat();
        for archive in [members, frames] {
            assert_eq!(read(&archive, Compression::Auto, TextEncoding::Utf8).unwrap(), format!("{text}more"));
        }
        assert!(read(&zipped[..zipped.len() - 4], Compression::Auto, TextEncoding::Utf8).is_err());
        assert!(read(&[&zipped[..], b"trailing"].concat(), Compression::Gzip, TextEncoding::Utf8).is_err());
        assert!(read(text.as_bytes(), Compression::Gzip, TextEncoding::Utf8).is_err());
        let mut altered = zipped;
        let last = altered.len() - 6;
        altered[last] ^= 1;
        assert!(read(&altered, Compression::Gzip, TextEncoding::Utf8).is_err());
    }

    #[test]
    fn encodings_become_utf_8() {
        let text = "Jürgen,€ 𝄞\n".repeat(20_000);
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let marked = [&b"\xfe\xff"[..], &big].concat();
        for (bytes, encoding) in [
            (&little, TextEncoding::Utf16Le),
            (&big, TextEncoding::Utf16Be),
            (&marked, TextEncoding::Utf16),
            (&little, TextEncoding::Utf16),
        ] {
            assert_eq!(read(bytes, Compression::None, encoding).unwrap(), text, "{encoding:?}");
        }
        assert_eq!(read(b"J\xfcrgen \x80", Compression::None, TextEncoding::Windows1252).unwrap(), "Jürgen €");
        assert_eq!(read(b"J\xfcrgen", Compression::None, TextEncoding::Latin1).unwrap(), "Jürgen");
        let lone = [&little[..4], &[0x00, 0xd8], &little[4..]].concat();
        for wrong in [&lone[..], &little[..5]] {
            let error = read(wrong, Compression::None, TextEncoding::Utf16Le).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
