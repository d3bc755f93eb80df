//! The event that every question appends: 300 bytes of JSON, as a vehicle's unit would report them.

use storage::{NewEvent, StreamName};

/// Bytes of an event's data.
pub const DATA_BYTES: usize = 300;
/// The type of every event.
pub const EVENT_TYPE: &str = "VehicleMeasured";
/// The aggregate type of every stream.
pub const AGGREGATE_TYPE: &str = "Vehicle";

const DIGITS: usize = 20;

/// Makes events that differ in a counter and are otherwise equal, so that making one costs a copy.
#[derive(Clone, Debug)]
pub struct EventMaker {
    data: Vec<u8>,
    counter_at: usize,
}

impl Default for EventMaker {
    fn default() -> Self {
        EventMaker::new()
    }
}

impl EventMaker {
    /// A maker of events of [`DATA_BYTES`] bytes.
    pub fn new() -> Self {
        let front = r#"{"vehicle_id":"185 123-4","reading":""#;
        let middle = r#"","mileage_km":412873,"line":"U6","depot":"Fröttmaning","traction_motor_celsius":[71.5,69.8,72.1,70.4],"brake_pressure_bar":4.97,"doors":{"cycles":18223,"faults":0},"note":""#;
        let back = r#""}"#;
        let fixed = front.len() + DIGITS + middle.len() + back.len();
        let note = "x".repeat(DATA_BYTES - fixed);
        let data = format!("{front}{:0>DIGITS$}{middle}{note}{back}", 0);
        EventMaker {
            data: data.into_bytes(),
            counter_at: front.len(),
        }
    }

    /// The data of the event with this number.
    pub fn data(&self, number: u64) -> Vec<u8> {
        let mut data = self.data.clone();
        write_number(&mut data[self.counter_at..], number);
        data
    }

    /// Where in the data the number stands.
    pub fn number_at(&self) -> usize {
        self.counter_at
    }

    /// The event with this number.
    pub fn event(&self, number: u64) -> NewEvent {
        NewEvent::new(EVENT_TYPE, self.data(number))
    }
}

/// Writes a number over the first digits of `bytes`, with leading zeros.
pub(crate) fn write_number(bytes: &mut [u8], number: u64) {
    let mut rest = number;
    for digit in bytes[..DIGITS].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

/// The name of the stream with this number.
pub fn stream(number: u64) -> StreamName {
    StreamName::new(AGGREGATE_TYPE, format!("unit-{number:06}"))
}

#[cfg(test)]
mod tests;
