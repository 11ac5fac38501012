//! [`DatasetAccess`]: how one handle on a dataset finds other files, and follows the sources of a virtual one.

/// Where a virtual dataset ends whose sources have come unequally far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExtentView {
    /// At the last element any source has; what others lack reads as the fill value.
    #[default]
    LastAvailable,
    /// At the first element some source lacks.
    FirstMissing,
    /// Where the file says it ended when it was last written; no source is asked.
    Stored,
}

/// How one handle on a dataset finds its raw files, and finds and follows the sources of a virtual one; nothing of
/// it is stored.
///
/// ```no_run
/// use hyperslab::{DatasetAccess, ExtentView, File};
/// let complete = DatasetAccess::new().view(ExtentView::FirstMissing);
/// let data = File::open("run.h5")?.dataset_with("/entry/data", &complete)?;
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DatasetAccess {
    view: ExtentView,
    gap: u64,
    prefix: Option<String>,
    external_prefix: Option<String>,
}

impl DatasetAccess {
    /// The defaults: up to the last available element, no gaps between numbered sources, no prefix.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the dataset ends when its sources have come unequally far.
    #[must_use]
    pub fn view(mut self, view: ExtentView) -> Self {
        self.view = view;
        self
    }

    /// How many numbered sources in a row may be missing before one that is there; 0 at first, and always
    /// when the dataset ends at the first missing element.
    #[must_use]
    pub fn printf_gap(mut self, sources: u64) -> Self {
        self.gap = sources;
        self
    }

    /// A directory in which the source files are looked for first, instead of that of the file's
    /// [`OpenOptions`](crate::OpenOptions::vds_prefix); `${ORIGIN}` at its start means the directory of the
    /// file that holds the dataset.
    #[must_use]
    pub fn vds_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// A directory in which raw files are looked for first, and made; `${ORIGIN}` at its start means the directory of
    /// the file that holds the dataset. The environment variable `HDF5_EXTFILE_PREFIX` goes before it.
    #[must_use]
    pub fn external_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.external_prefix = Some(prefix.into());
        self
    }

    pub(crate) fn raw_prefix(&self) -> Option<&str> {
        self.external_prefix.as_deref()
    }

    pub(crate) fn is_first_missing(&self) -> bool {
        self.view == ExtentView::FirstMissing
    }

    /// Whether the sources have no say in the size.
    pub(crate) fn is_stored(&self) -> bool {
        self.view == ExtentView::Stored
    }

    /// Numbered sources that may be missing in a row.
    pub(crate) fn gap(&self) -> u64 {
        if self.is_first_missing() { 0 } else { self.gap }
    }

    pub(crate) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// What holds for virtual datasets that are sources of this one: everything but the prefixes.
    pub(crate) fn inherited(&self) -> Self {
        Self { prefix: None, external_prefix: None, ..self.clone() }
    }
}
