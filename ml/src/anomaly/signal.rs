//! A robust watch over single signals: which reading, of which signal, does not fit its usual level at this hour.
//!
//! Place on the path: a stream of readings → **robust residual** → alarm with the signal's name. Streaming: a score
//! depends on earlier readings only, and memory is bounded.
//!
//! Each signal has a window of recent readings and, for each context slot (hour of the day, load step), a window of
//! readings in that slot. The score is the reading's distance from the nearer of the two medians, in robust standard
//! deviations, so one wild reading does not widen its own limits.
//! Source: Rousseeuw, Croux, "Alternatives to the Median Absolute Deviation", JASA 88 (1993), for the 1.4826.

use std::collections::VecDeque;

/// Turns a median absolute deviation into the standard deviation of a normal sample.
const NORMAL_FACTOR: f64 = 1.482_602_218_505_602;
/// Most context slots of a watch.
pub const SLOTS_MAX: usize = 1_024;
/// Most readings of a window.
pub const WINDOW_MAX: usize = 4_096;

/// Settings of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalSettings {
    /// Context slots, from 1 to [`SLOTS_MAX`]. One slot means the context is not used.
    pub slots: usize,
    /// Readings remembered over all slots, from 8 to [`WINDOW_MAX`].
    pub recent: usize,
    /// Readings remembered in each slot, from 4 to [`WINDOW_MAX`].
    pub in_slot: usize,
    /// Readings that must be remembered before anything is scored.
    pub warm_up: usize,
}

impl Default for SignalSettings {
    /// Hours of the day, about two days of five-minute readings, and two weeks of each hour.
    fn default() -> Self {
        Self {
            slots: 24,
            recent: 576,
            in_slot: 168,
            warm_up: 30,
        }
    }
}

/// Why a watch could not be made or fed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// A setting is out of its range.
    #[error("{what} is out of range")]
    Setting {
        /// Name of the setting.
        what: &'static str,
    },
    /// The context slot does not exist.
    #[error("slot {slot} of {slots}")]
    Slot {
        /// Slot given.
        slot: usize,
        /// Slots of the watch.
        slots: usize,
    },
    /// The reading is not finite.
    #[error("the reading is not a finite number")]
    NotFinite,
}

/// What a watch says about one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalVerdict {
    /// Distance from the expected level in robust standard deviations, not negative.
    pub score: f64,
    /// The level it was compared with, in the signal's unit.
    pub expected: f64,
    /// The standard deviation used, in the signal's unit.
    pub spread: f64,
}

/// A window that knows its median: readings in order of arrival and in order of size.
#[derive(Debug, Clone, Default)]
struct Window {
    arrived: VecDeque<f64>,
    sorted: Vec<f64>,
}

impl Window {
    fn push(&mut self, value: f64, limit: usize) {
        if self.arrived.len() == limit
            && let Some(oldest) = self.arrived.pop_front()
        {
            let at = self.sorted.partition_point(|&kept| kept < oldest);
            self.sorted.remove(at);
        }
        self.arrived.push_back(value);
        let at = self.sorted.partition_point(|&kept| kept < value);
        self.sorted.insert(at, value);
    }

    fn median(&self) -> f64 {
        let count = self.sorted.len();
        if count == 0 {
            return 0.0;
        }
        f64::midpoint(self.sorted[(count - 1) / 2], self.sorted[count / 2])
    }

    /// Robust standard deviation: half the range of the middle 68 %, which is cheap on a sorted window.
    fn spread(&self) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let (low, high) = (last * 16 / 100, last - last * 16 / 100);
        if self.sorted.is_empty() {
            0.0
        } else {
            (self.sorted[high] - self.sorted[low]) / 2.0
        }
    }
}

/// The watch over one signal.
#[derive(Debug, Clone)]
pub struct SignalWatch {
    settings: SignalSettings,
    recent: Window,
    slots: Vec<Window>,
    /// Absolute residuals of recent readings: how far off ordinary readings are.
    residuals: Window,
}

impl SignalWatch {
    /// A watch without history.
    ///
    /// # Errors
    /// [`SignalError::Setting`].
    pub fn new(settings: SignalSettings) -> Result<Self, SignalError> {
        for (what, value, range) in [
            ("slots", settings.slots, 1..=SLOTS_MAX),
            ("recent", settings.recent, 8..=WINDOW_MAX),
            ("in_slot", settings.in_slot, 4..=WINDOW_MAX),
        ] {
            if !range.contains(&value) {
                return Err(SignalError::Setting { what });
            }
        }
        Ok(Self {
            settings,
            recent: Window::default(),
            slots: vec![Window::default(); settings.slots],
            residuals: Window::default(),
        })
    }

    /// Scores a reading by what came before it, then remembers it. None while the watch is still warming up.
    ///
    /// # Errors
    /// [`SignalError::Slot`] or [`SignalError::NotFinite`].
    pub fn observe(
        &mut self,
        value: f64,
        slot: usize,
    ) -> Result<Option<SignalVerdict>, SignalError> {
        if !value.is_finite() {
            return Err(SignalError::NotFinite);
        }
        let slots = self.settings.slots;
        let own = self
            .slots
            .get(slot)
            .ok_or(SignalError::Slot { slot, slots })?;
        let verdict = (self.recent.sorted.len() >= self.settings.warm_up.max(1))
            .then(|| self.judge(value, own));
        if let Some(verdict) = verdict {
            self.residuals
                .push((value - verdict.expected).abs(), self.settings.recent);
        }
        self.recent.push(value, self.settings.recent);
        self.slots[slot].push(value, self.settings.in_slot);
        Ok(verdict)
    }

    fn judge(&self, value: f64, own: &Window) -> SignalVerdict {
        let (recent, usual) = (self.recent.median(), own.median());
        let has_usual = self.settings.slots > 1 && own.sorted.len() >= 8;
        let expected = if has_usual && (value - usual).abs() < (value - recent).abs() {
            usual
        } else {
            recent
        };
        let ordinary = NORMAL_FACTOR * self.residuals.median();
        let level = expected.abs().max(self.recent.spread());
        // Where readings hardly ever differ, a millionth of the level stands in for the deviation.
        let spread = ordinary
            .max(self.recent.spread() * 0.25)
            .max(level * 1e-6)
            .max(f64::MIN_POSITIVE);
        SignalVerdict {
            score: ((value - expected).abs() / spread).min(1e12),
            expected,
            spread,
        }
    }
}

#[cfg(test)]
mod tests;
