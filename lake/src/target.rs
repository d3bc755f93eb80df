//! Where exports go: a folder, or a bucket that speaks S3. Blocking, for whoever exports has nothing else to do.
//!
//! An object is there whole or not at all, and one that is replaced is the old one or the new one, in folders too. Requests
//! are repeated while the place is out of reach, for a minute.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig};
use tokio::runtime::Runtime;
use url::Url;

use crate::error::{LakeError, Why};
use crate::keys;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long is waited for a bucket.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long one request may take: a file is at most some tens of megabytes.
    pub request: Duration,
    /// For how long a request that failed is repeated.
    pub retry: Duration,
    /// How often at most.
    pub retries_max: usize,
}

impl Patience {
    const USUAL: Patience = Patience {
        request: Duration::from_secs(60),
        retry: Duration::from_secs(60),
        retries_max: 8,
    };
}

/// A place to export to.
#[derive(Debug)]
pub struct Target {
    url: String,
    base: String,
    /// Where it is a folder of this machine.
    folder: Option<PathBuf>,
    store: Arc<dyn ObjectStore>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Target {
    fn drop(&mut self) {
        // Waiting for its thread is not allowed where a server drops this.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Target {
    /// The place at `file:///folder` (made if it is not there) or `s3://bucket/prefix`.
    ///
    /// What S3 needs besides comes from the environment by its usual names: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_REGION`, and for others than Amazon `AWS_ENDPOINT`, with `AWS_ALLOW_HTTP=true` where that is no HTTPS.
    ///
    /// # Errors
    /// `Address` for what is no such address, `Keys` where nothing says which keys a bucket is asked with, `Folder` for a folder
    /// that cannot be made.
    pub fn open(url: &str) -> Result<Self, LakeError> {
        Target::reach(url, true, Patience::USUAL)
    }

    /// The same, of which only reading is wanted: a folder that is not there is none.
    ///
    /// # Errors
    /// `Address` for what is no such address, `Keys` as for [`Target::open`], `Folder` for a folder that is not there.
    pub fn open_existing(url: &str) -> Result<Self, LakeError> {
        Target::reach(url, false, Patience::USUAL)
    }

    /// The same as [`Target::open`], with another patience.
    ///
    /// # Errors
    /// As for [`Target::open`].
    pub fn open_patiently(url: &str, patience: Patience) -> Result<Self, LakeError> {
        Target::reach(url, true, patience)
    }

    /// Whether this is an address of a place: what a mistake in it would only show with the first export. No folder is made, no
    /// bucket is asked, and what it would be asked with (keys, settings in the environment, certificates) is not looked at.
    ///
    /// # Errors
    /// `Address` for what is no such address.
    pub fn check(url: &str) -> Result<(), LakeError> {
        Place::of(url).map(drop)
    }

    fn reach(url: &str, makes_folder: bool, patience: Patience) -> Result<Self, LakeError> {
        match Place::of(url)? {
            Place::Folder(folder) => {
                let store = Arc::new(local(&folder, makes_folder)?);
                let base = folder.display().to_string();
                Target::on(url, base, Some(folder), store)
            }
            Place::Bucket(builder, parsed) => {
                if let Some(missing) = keys::missing(&builder) {
                    return Err(LakeError::Keys {
                        url: url.to_owned(),
                        missing,
                    });
                }
                let store = bucket(*builder, parsed.path(), allows_http(), patience)
                    .map_err(|error| refused(url, error.to_string()))?;
                let base = url.trim_end_matches('/').to_owned();
                Target::on(url, base, None, store)
            }
        }
    }

    fn on(
        url: &str,
        base: String,
        folder: Option<PathBuf>,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Self, LakeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("lake")
            .enable_all()
            .build()
            .map_err(LakeError::Runtime)?;
        Ok(Target {
            url: url.trim_end_matches('/').to_owned(),
            base,
            folder,
            store,
            runtime: Some(runtime),
        })
    }

    /// A bucket that was described in a test.
    #[cfg(test)]
    pub(crate) fn bucket(builder: AmazonS3Builder, folder: &str, patience: Patience) -> Self {
        let url = format!("s3://test{folder}");
        let store = bucket(builder, folder, true, patience).unwrap();
        Target::on(&url, url.clone(), None, store).unwrap()
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the paths of its objects follow, as query engines take it: a folder's path, or a bucket's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    fn wait<T>(&self, doing: impl Future<Output = T>) -> T {
        self.runtime
            .as_ref()
            .expect("the runtime lives as long as the target")
            .block_on(doing)
    }

    /// The same for whoever may be on a thread of another runtime, where that would panic.
    fn wait_anywhere<T: Send + 'static>(
        &self,
        doing: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (sender, answer) = std::sync::mpsc::sync_channel(1);
        let runtime = self.runtime.as_ref();
        let runtime = runtime.expect("the runtime lives as long as the target");
        runtime.spawn(async move {
            // Whoever asked waits for it below.
            let _ = sender.send(doing.await);
        });
        answer.recv().expect("a request ends in an answer")
    }

    /// Puts an object there, whole or not at all, instead of one that may be there.
    ///
    /// # Errors
    /// `Store`.
    pub fn put(&self, path: &str, bytes: Bytes) -> Result<(), LakeError> {
        let location = located("write", path)?;
        self.wait(self.store.put(&location, bytes.into()))
            .map_err(failed("write", path))?;
        Ok(())
    }

    /// The object, if there is one.
    pub(crate) fn get(&self, path: &str) -> Result<Option<Bytes>, LakeError> {
        let location = located("read", path)?;
        let read = async { self.store.get(&location).await?.bytes().await };
        match self.wait(read) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", path)(error)),
        }
    }

    /// Bytes of an object; `None` when there is none.
    ///
    /// # Errors
    /// `Store`.
    pub fn length(&self, path: &str) -> Result<Option<u64>, LakeError> {
        let (store, location) = (self.store.clone(), located("look for", path)?);
        match self.wait_anywhere(async move { store.head(&location).await }) {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("look for", path)(error)),
        }
    }

    /// Some bytes of an object that is there.
    ///
    /// # Errors
    /// `Store`.
    pub fn part(&self, path: &str, range: Range<u64>) -> Result<Bytes, LakeError> {
        let (store, location) = (self.store.clone(), located("read", path)?);
        self.wait_anywhere(async move { store.get_range(&location, range).await })
            .map_err(failed("read", path))
    }

    /// Takes an object away; one that is not there is no error.
    pub(crate) fn delete(&self, path: &str) -> Result<(), LakeError> {
        let location = located("remove", path)?;
        match self.wait(self.store.delete(&location)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("remove", path)(error)),
        }
    }

    /// The objects under a folder.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<String>, LakeError> {
        let prefix = located("list", folder)?;
        let listed = self.store.list(Some(&prefix));
        let paths = listed.map_ok(|object| object.location.to_string());
        self.wait(paths.try_collect())
            .map_err(failed("list", folder))
    }

    /// Takes away what a process that was killed left of files that it wrote under a folder: half of one, or a whole one that
    /// had yet to get its name. It lies beside its place with `#` and a number behind the name, which [`Target::list`] does not
    /// show. Only where the file would have been one of ours; a bucket keeps nothing of what did not arrive whole.
    pub(crate) fn remove_half_written(
        &self,
        folder: &str,
        is_ours: fn(&str) -> bool,
    ) -> Result<(), LakeError> {
        let Some(root) = &self.folder else {
            return Ok(());
        };
        remove_half_written(root, folder, is_ours).map_err(|source| LakeError::Folder {
            path: root.join(folder).display().to_string(),
            source,
        })
    }
}

fn remove_half_written(root: &Path, folder: &str, is_ours: fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        // A name that is no text is none of ours.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{folder}/{name}");
        if entry.file_type()?.is_dir() {
            remove_half_written(root, &path, is_ours)?;
        } else if let Some((meant, number)) = path.rsplit_once('#')
            && is_number(number)
            && is_ours(meant)
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether these are digits, and at least one.
pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What an address names, nothing of which was looked at.
enum Place {
    Folder(PathBuf),
    Bucket(Box<AmazonS3Builder>, Url),
}

impl Place {
    fn of(url: &str) -> Result<Self, LakeError> {
        let parsed = Url::parse(url).map_err(|error| refused(url, error.to_string()))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            // Not repeated in the error: it would show up in logs.
            return Err(refused(
                &format!("{}://…", parsed.scheme()),
                "keys belong into the environment, not into the address".to_owned(),
            ));
        }
        match parsed.scheme() {
            "file" => parsed
                .to_file_path()
                .map(Place::Folder)
                .map_err(|()| refused(url, "it names no folder of this machine".to_owned())),
            "s3" => {
                if parsed.host_str().is_none_or(str::is_empty) {
                    return Err(refused(url, "it names no bucket".to_owned()));
                }
                Location::from_url_path(parsed.path())
                    .map_err(|error| refused(url, error.to_string()))?;
                let builder = AmazonS3Builder::from_env().with_url(url);
                Ok(Place::Bucket(Box::new(builder), parsed))
            }
            other => Err(refused(url, format!("{other} is neither file nor s3"))),
        }
    }
}

fn refused(url: &str, reason: String) -> LakeError {
    LakeError::Address {
        url: url.to_owned(),
        reason,
    }
}

fn located(doing: &'static str, path: &str) -> Result<Location, LakeError> {
    Location::parse(path).map_err(|error| failed(doing, path)(error.into()))
}

fn local(folder: &Path, makes_it: bool) -> Result<LocalFileSystem, LakeError> {
    let there = match makes_it {
        true => fs::create_dir_all(folder),
        false => fs::read_dir(folder).map(|_| ()),
    };
    there.map_err(|source| LakeError::Folder {
        path: folder.display().to_string(),
        source,
    })?;
    let store = LocalFileSystem::new_with_prefix(folder)
        .map_err(failed("open", &folder.to_string_lossy()))?;
    // A manifest must not outlive a power cut that its files do not.
    Ok(store.with_fsync(true))
}

fn bucket(
    builder: AmazonS3Builder,
    folder: &str,
    allows_http: bool,
    patience: Patience,
) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    // Whoever installed a provider before has one that does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ClientOptions::new()
        .with_timeout(patience.request)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_allow_http(allows_http);
    let store = builder
        .with_client_options(client)
        .with_retry(RetryConfig {
            max_retries: patience.retries_max,
            retry_timeout: patience.retry,
            ..RetryConfig::default()
        })
        .build()?;
    let prefix = Location::from_url_path(folder)?;
    if prefix.as_ref().is_empty() {
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

/// The options of the client take the place of what the builder read from the environment.
fn allows_http() -> bool {
    std::env::var("AWS_ALLOW_HTTP").is_ok_and(|value| value == "true" || value == "1")
}

fn failed(doing: &'static str, path: &str) -> impl FnOnce(object_store::Error) -> LakeError {
    let path = path.to_owned();
    move |source| LakeError::Store {
        doing,
        path,
        why: Why::of(&source),
        source,
    }
}
