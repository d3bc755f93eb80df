//! Segments that were fetched: a folder of bounded size, the least recently used removed first.
//!
//! A fetch runs outside of the lock, once for all who want the same segment, and at most [`FETCHES_MAX`] at a time, so that a
//! place that does not answer holds up that many threads and those who wait behind them, [`WAITING_MAX`] at most. A file of an
//! earlier run is hashed before it is used, as what comes from the place is: nothing here is synced, nothing needs to be.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::{ArchivedError, Stub, TierOptions, TierStats};
use crate::repo::View;

/// Segments fetched at a time.
const FETCHES_MAX: usize = 4;
/// Reads that wait for one at most.
const WAITING_MAX: usize = 16;
/// How often a segment is asked for that comes back as something else.
const ATTEMPTS: usize = 3;
/// Behind the name of a segment while it is being fetched.
const DRAFT: &str = ".new";

/// See the module.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(super) options: TierOptions,
    inner: Mutex<Inner>,
    changed: Condvar,
    hits: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
    bytes_fetched: AtomicU64,
    evictions: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    held: HashMap<String, Held>,
    fetching: HashSet<String>,
    waiting: usize,
    /// Of what is held and of what is being fetched.
    bytes: u64,
    uses: u64,
}

#[derive(Debug)]
struct Held {
    /// `None` for a file of an earlier run that nobody has asked for since.
    view: Option<Arc<dyn View>>,
    bytes: u64,
    used: u64,
}

impl Cache {
    /// Takes over the folder. What an earlier run left counts against the limit, or is removed where it was not fetched whole.
    /// Whatever else lies there is somebody's, and is left alone.
    pub(crate) fn new(options: TierOptions) -> io::Result<Self> {
        let mut inner = Inner::default();
        for name in options.fetched.list()? {
            if name.strip_suffix(DRAFT).is_some_and(is_segment) {
                options.fetched.remove(&name)?;
                continue;
            }
            if !is_segment(&name) {
                continue;
            }
            let bytes = options.fetched.open(&name)?.len()?;
            inner.bytes += bytes;
            let held = Held {
                view: None,
                bytes,
                used: 0,
            };
            inner.held.insert(name, held);
        }
        Ok(Cache {
            options,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            bytes_fetched: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        })
    }

    /// The segment's bytes, if they lie here and were checked.
    pub(super) fn at_hand(&self, stub: &Stub) -> Option<Arc<dyn View>> {
        self.lock().use_held(&stub.file())
    }

    /// The segment's bytes, fetched where they are not here.
    pub(super) fn view(&self, stub: &Stub) -> Result<Arc<dyn View>, ArchivedError> {
        let name = stub.file();
        let mut inner = self.lock();
        loop {
            if let Some(view) = inner.use_held(&name) {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(view);
            }
            let is_fetched = inner.fetching.contains(&name);
            if !is_fetched && inner.fetching.len() < FETCHES_MAX {
                break;
            }
            if inner.waiting >= WAITING_MAX {
                return Err(ArchivedError::Busy);
            }
            inner.waiting += 1;
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
            inner.waiting -= 1;
        }
        inner.fetching.insert(name.clone());
        let earlier = inner.held.remove(&name);
        inner.bytes -= earlier.as_ref().map_or(0, |held| held.bytes);
        inner.bytes += stub.bytes;
        drop(inner);
        let mut turn = Turn {
            cache: self,
            name: &name,
            bytes: stub.bytes,
            view: None,
        };
        self.make_room(&mut self.lock(), 0);
        let kept = earlier.and_then(|_| self.checked_file(stub, &name));
        let brought = match kept {
            Some(view) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                Ok(view)
            }
            None => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                // Another content under its name, if any, is worth nothing.
                let _ = self.options.fetched.remove(&name);
                self.fetch(stub, &name)
            }
        };
        match brought {
            Ok(view) => {
                turn.view = Some(view.clone());
                Ok(view)
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Whether the object is there in its length.
    pub(super) fn look(&self, stub: &Stub) -> Result<(), ArchivedError> {
        self.by_names(stub, |object| match self.options.tier.length(object) {
            Ok(Some(length)) if length == stub.bytes => Ok(()),
            Ok(Some(length)) => Err(self.altered(object, length_differs(length, stub.bytes))),
            Ok(None) => Err(self.missing(object)),
            Err(source) => Err(self.unreachable(object, source)),
        })
    }

    /// Whether the object is there byte for byte. Reads all of it, and keeps nothing: what others read stays in the folder.
    pub(super) fn read_back(&self, stub: &Stub) -> Result<(), ArchivedError> {
        self.by_names(stub, |object| {
            let mut what = String::new();
            for _ in 0..ATTEMPTS {
                match self.read_object(stub, object, &mut |_| Ok(()))? {
                    None => return Ok(()),
                    Some(differs) => what = differs,
                }
            }
            Err(self.altered(object, what))
        })
    }

    /// Asks for the object by one of its names after the other until it is there as it was sent. Where it is not, the error is
    /// that of its first name.
    fn by_names<T>(
        &self,
        stub: &Stub,
        ask: impl Fn(&str) -> Result<T, ArchivedError>,
    ) -> Result<T, ArchivedError> {
        let mut first = None;
        for object in stub.objects() {
            match ask(&object) {
                // Behind a name that is free none was taken.
                Err(ArchivedError::Missing { .. }) if first.is_some() => break,
                Err(error @ (ArchivedError::Missing { .. } | ArchivedError::Altered { .. })) => {
                    first.get_or_insert(error);
                }
                outcome => return outcome,
            }
        }
        Err(first.unwrap_or_else(|| self.missing(&stub.object())))
    }

    pub(crate) fn stats(&self) -> TierStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TierStats {
            segments: 0,
            bytes: 0,
            hits: of(&self.hits),
            misses: of(&self.misses),
            failures: of(&self.failures),
            bytes_fetched: of(&self.bytes_fetched),
            bytes_held: self.lock().bytes,
            evictions: of(&self.evictions),
        }
    }

    /// A file of an earlier run, if it is what it should be; a crash may have left anything in it.
    fn checked_file(&self, stub: &Stub, name: &str) -> Option<Arc<dyn View>> {
        let file = self.options.fetched.open(name).ok()?;
        let view = file.view(file.len().ok()?, 0).ok()?;
        let bytes = view.bytes();
        (bytes.len() as u64 == stub.bytes && Sha256::digest(bytes)[..] == stub.sha256)
            .then_some(view)
    }

    fn fetch(&self, stub: &Stub, name: &str) -> Result<Arc<dyn View>, ArchivedError> {
        self.by_names(stub, |object| self.fetch_object(stub, object, name))
    }

    fn fetch_object(
        &self,
        stub: &Stub,
        object: &str,
        name: &str,
    ) -> Result<Arc<dyn View>, ArchivedError> {
        let temporary = format!("{name}{DRAFT}");
        let fetched = &self.options.fetched;
        let mut what = String::new();
        for _ in 0..ATTEMPTS {
            let file = fetched.create(&temporary).map_err(ArchivedError::Disk)?;
            let mut at = 0;
            let mut broken = None;
            let outcome = self.read_object(stub, object, &mut |part| {
                let written = file.write_at(part, at);
                at += part.len() as u64;
                written.map_err(|error| {
                    let kind = error.kind();
                    broken = Some(error);
                    kind.into()
                })
            });
            if let Some(error) = broken {
                let _ = fetched.remove(&temporary);
                return Err(ArchivedError::Disk(error));
            }
            match outcome {
                Ok(None) => {
                    let place = || {
                        fetched.rename(&temporary, name)?;
                        let file = fetched.open(name)?;
                        file.view(stub.bytes, 0)
                    };
                    return place().map_err(ArchivedError::Disk);
                }
                Ok(Some(differs)) => what = differs,
                Err(error) => {
                    let _ = fetched.remove(&temporary);
                    return Err(error);
                }
            }
        }
        let _ = fetched.remove(&temporary);
        Err(self.altered(object, what))
    }

    /// Gives the bytes of the object of this name to `take`, and says in what they differ from those that were sent.
    pub(super) fn read_object(
        &self,
        stub: &Stub,
        object: &str,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Option<String>, ArchivedError> {
        let mut hasher = Sha256::new();
        let mut length = 0;
        let mut is_longer = false;
        let fetched = self.options.tier.fetch(object, &mut |part| {
            length += part.len() as u64;
            if length > stub.bytes {
                is_longer = true;
                return Err(io::ErrorKind::InvalidData.into());
            }
            hasher.update(part);
            take(part)
        });
        self.bytes_fetched.fetch_add(length, Ordering::Relaxed);
        match fetched {
            _ if is_longer => Ok(Some(format!("it is longer than {} bytes", stub.bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.missing(object)),
            Err(source) => Err(self.unreachable(object, source)),
            Ok(()) if length != stub.bytes => Ok(Some(length_differs(length, stub.bytes))),
            Ok(()) if hasher.finalize()[..] != stub.sha256 => {
                Ok(Some("its SHA-256 differs".to_owned()))
            }
            Ok(()) => Ok(None),
        }
    }

    /// Removes what was used least recently until all fits, or so many are left. What is being fetched is not there yet, so it
    /// stays out of this.
    fn make_room(&self, inner: &mut Inner, keep: usize) {
        while inner.bytes > self.options.fetched_bytes_max && inner.held.len() > keep {
            let oldest = inner.held.iter().min_by_key(|(_, held)| held.used);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else {
                return;
            };
            // What cannot be removed is given up all the same: it is found again at the next open.
            let _ = self.options.fetched.remove(&name);
            if let Some(held) = inner.held.remove(&name) {
                inner.bytes -= held.bytes;
            }
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn missing(&self, object: &str) -> ArchivedError {
        ArchivedError::Missing {
            place: self.options.tier.place(),
            object: object.to_owned(),
        }
    }

    pub(super) fn altered(&self, object: &str, what: String) -> ArchivedError {
        ArchivedError::Altered {
            place: self.options.tier.place(),
            object: object.to_owned(),
            what,
        }
    }

    pub(super) fn unreachable(&self, object: &str, source: io::Error) -> ArchivedError {
        ArchivedError::Unreachable {
            place: self.options.tier.place(),
            object: object.to_owned(),
            source,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn use_held(&mut self, name: &str) -> Option<Arc<dyn View>> {
        self.uses += 1;
        let held = self.held.get_mut(name)?;
        held.used = self.uses;
        held.view.clone()
    }
}

/// The right to fetch one segment, given back however that ends.
struct Turn<'a> {
    cache: &'a Cache,
    name: &'a str,
    bytes: u64,
    view: Option<Arc<dyn View>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut inner = self.cache.lock();
        inner.fetching.remove(self.name);
        inner.uses += 1;
        match self.view.take() {
            Some(view) => {
                let held = Held {
                    view: Some(view),
                    bytes: self.bytes,
                    used: inner.uses,
                };
                inner.held.insert(self.name.to_owned(), held);
                // Of several that were fetched at once, none was there yet when room was made for the others.
                self.cache.make_room(&mut inner, 1);
            }
            None => inner.bytes -= self.bytes,
        }
        self.cache.changed.notify_all();
    }
}

/// Whether a segment is called so here: see [`Stub::file`].
fn is_segment(name: &str) -> bool {
    let parts = name
        .strip_suffix(".log")
        .and_then(|stem| stem.split_once('-'));
    parts.is_some_and(|(number, hash)| {
        number.len() >= 12
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && hash.len() == 16
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn length_differs(actual: u64, expected: u64) -> String {
    format!("{actual} bytes, {expected} were sent")
}
