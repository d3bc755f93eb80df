//! How often one account, tablet or address may ask, by class of request.

use std::fmt;
use std::time::Duration;

/// What kind of request it is: each class has a rate of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Coming in: logins, refreshes, registrations, new passwords. By address where nobody is logged in.
    Login,
    /// One record.
    Read,
    /// Lists, histories, audit, time travel.
    List,
    /// Whatever changes a record.
    Write,
    /// Events as such, written and read.
    Events,
    /// Tablets.
    Sync,
    /// Figures, reports and their exports.
    Analytics,
    /// Predictions.
    Prediction,
    /// Training of models.
    Training,
}

/// Every class, in the order of the profiles' columns.
pub const CLASSES: [Class; 9] = [
    Class::Login,
    Class::Read,
    Class::List,
    Class::Write,
    Class::Events,
    Class::Sync,
    Class::Analytics,
    Class::Prediction,
    Class::Training,
];

impl Class {
    /// Its name in settings, headers and figures.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Login => "login",
            Class::Read => "read",
            Class::List => "list",
            Class::Write => "write",
            Class::Events => "events",
            Class::Sync => "sync",
            Class::Analytics => "analytics",
            Class::Prediction => "prediction",
            Class::Training => "training",
        }
    }
}

/// So many requests within a time. All of them may come at once; they come back evenly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many, at least 1.
    pub requests: u32,
    /// Within how long.
    pub window: Duration,
}

const REQUESTS_MAX: u32 = 1_000_000;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

const fn per(requests: u32, window: Duration) -> Option<Rate> {
    Some(Rate { requests, window })
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.window {
            SECOND => "s",
            MINUTE => "min",
            _ => "h",
        };
        write!(formatter, "{}/{unit}", self.requests)
    }
}

/// A set of rates that fit together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// What hinders nobody: guessing and training are bounded, the rest by the listener's and the readers' limits alone.
    Default,
    /// What the old system's documents promised.
    Documented,
    /// What nobody reaches who sits before a screen.
    Careful,
    /// Nothing.
    Off,
}

impl Profile {
    /// The profile's rate for a class; `None`: as often as it likes.
    pub const fn rate(self, class: Class) -> Option<Rate> {
        match (self, class) {
            (Profile::Off, _) => None,
            (Profile::Careful, Class::Login) => per(60, MINUTE),
            (Profile::Careful, Class::Read) => per(3_000, MINUTE),
            (Profile::Careful, Class::List | Class::Write | Class::Events) => per(1_200, MINUTE),
            (Profile::Careful, Class::Sync) => per(600, MINUTE),
            (Profile::Careful, Class::Analytics | Class::Prediction) => per(300, MINUTE),
            (Profile::Careful, Class::Training) => per(20, HOUR),
            (Profile::Documented, Class::Events) => per(100, MINUTE),
            (Profile::Documented, Class::Sync) => per(500, MINUTE),
            (Profile::Documented, Class::Analytics) => per(60, MINUTE),
            (Profile::Documented, Class::Prediction) => per(30, MINUTE),
            (Profile::Documented, Class::Training) => per(5, HOUR),
            // A whole shift behind one proxy logs in within a minute.
            (Profile::Default | Profile::Documented, Class::Login) => per(1_200, MINUTE),
            (Profile::Default, Class::Training) => per(60, HOUR),
            (Profile::Default | Profile::Documented, _) => None,
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Profile::Default),
            "documented" => Ok(Profile::Documented),
            "careful" => Ok(Profile::Careful),
            "off" => Ok(Profile::Off),
            _ => Err("must be default, documented, careful or off".to_owned()),
        }
    }
}

/// What was set: a profile, and what differs from it.
#[derive(Clone, Debug)]
pub struct RatesConfig {
    /// The profile.
    pub profile: Profile,
    /// What was set for a class by itself.
    own: [Own; CLASSES.len()],
}

/// A class's own setting.
#[derive(Clone, Copy, Debug, Default)]
enum Own {
    /// As the profile says.
    #[default]
    Unset,
    /// This rate, or none.
    Set(Option<Rate>),
}

impl Default for RatesConfig {
    fn default() -> Self {
        RatesConfig {
            profile: Profile::Default,
            own: Default::default(),
        }
    }
}

impl RatesConfig {
    /// How often somebody may; `None`: as often as they like.
    pub fn rate(&self, class: Class) -> Option<Rate> {
        match self.own[class as usize] {
            Own::Unset => self.profile.rate(class),
            Own::Set(rate) => rate,
        }
    }

    /// Sets a class's own rate from its text; empty leaves it to the profile.
    pub(super) fn set(&mut self, class: Class, text: &str) -> Result<(), String> {
        self.own[class as usize] = match text.trim() {
            "" => Own::Unset,
            "off" => Own::Set(None),
            text => Own::Set(Some(parse(text)?)),
        };
        Ok(())
    }
}

fn parse(text: &str) -> Result<Rate, String> {
    let wrong = || format!("must be off, or 1 to {REQUESTS_MAX} by /s, /min or /h, like 100/min");
    let (requests, unit) = text.split_once('/').ok_or_else(wrong)?;
    let requests: u32 = requests.trim().parse().map_err(|_| wrong())?;
    let window = match unit.trim() {
        "s" => SECOND,
        "min" => MINUTE,
        "h" => HOUR,
        _ => return Err(wrong()),
    };
    if !(1..=REQUESTS_MAX).contains(&requests) {
        return Err(wrong());
    }
    Ok(Rate { requests, window })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_shown() {
        for text in ["1/s", "100/min", "5/h", "1000000/h"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        for wrong in ["", "0/s", "5", "5/day", "-1/s", "1.5/s", "1000001/s", "/s"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_documented_profile_is_the_old_systems_and_a_class_may_differ() {
        let mut rates = RatesConfig {
            profile: Profile::Documented,
            ..RatesConfig::default()
        };
        let shown = |rates: &RatesConfig| {
            CLASSES.map(|class| {
                rates
                    .rate(class)
                    .map_or("off".to_owned(), |rate| rate.to_string())
            })
        };
        let documented = [
            "1200/min", "off", "off", "off", "100/min", "500/min", "60/min", "30/min", "5/h",
        ];
        assert_eq!(shown(&rates), documented);
        rates.set(Class::Events, "off").unwrap();
        rates.set(Class::Read, "7/s").unwrap();
        rates.set(Class::Training, "").unwrap();
        let own = [
            "1200/min", "7/s", "off", "off", "off", "500/min", "60/min", "30/min", "5/h",
        ];
        assert_eq!(shown(&rates), own);
    }
}
