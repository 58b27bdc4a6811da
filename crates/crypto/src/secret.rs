//! A secret is wiped when it goes out of scope and can't be printed, copied or stored by accident.

use zeroize::Zeroize;

/// Holds `T` until it is dropped, then overwrites it.
///
/// It has no Debug, Display, Serialize or Clone, so that it reaches no log, error or file without [`Secret::expose`],
/// which a reader of the code can look for. The value lives on the heap: moving a secret leaves no copy behind. What
/// a `String` or `Vec` left behind when it grew, before it was put in here, isn't wiped.
///
/// ```compile_fail,E0277
/// let secret = lockgate_crypto::Secret::new(String::from("hunter2"));
/// println!("{secret:?}");
/// ```
/// ```compile_fail,E0599
/// let secret = lockgate_crypto::Secret::new(String::from("hunter2"));
/// let copy = secret.clone();
/// ```
/// ```
/// let secret = lockgate_crypto::Secret::new(String::from("hunter2"));
/// assert_eq!(secret.expose().len(), 7);
/// ```
pub struct Secret<T: Zeroize>(Box<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes a secret into custody.
    pub fn new(value: T) -> Self {
        Self(Box::new(value))
    }

    /// The secret, for the one call that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The secret, to be filled in place.
    pub(crate) fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Watched<'a>(&'a AtomicBool);

    impl Zeroize for Watched<'_> {
        fn zeroize(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_secret_is_wiped_when_it_is_dropped_and_not_before() {
        let wiped = AtomicBool::new(false);
        let secret = Secret::new(Watched(&wiped));
        assert!(!secret.expose().0.load(Ordering::SeqCst));
        drop(secret);
        assert!(wiped.load(Ordering::SeqCst));
    }
}
