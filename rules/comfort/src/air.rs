//! What temperature and humidity mean together.

use rulemill_guest::RowError;

/// The temperature at which the air would be saturated, in degrees Celsius, by the Magnus formula: within 0.4 degrees
/// from -45 to 60. The humidity is relative, in percent.
pub(crate) fn dew_point(temperature: f64, humidity: f64) -> Result<f64, RowError> {
    if !(humidity > 0.0 && humidity <= 100.0) {
        return Err(RowError::new(format!(
            "the relative humidity must be above 0 and at most 100, got {humidity}"
        )));
    }
    if !(-45.0..=60.0).contains(&temperature) {
        return Err(RowError::new(format!(
            "the temperature must be -45 to 60, got {temperature}"
        )));
    }
    let gamma = (humidity / 100.0).ln() + B * temperature / (C + temperature);
    Ok(C * gamma / (B - gamma))
}

/// With two digits after the point.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// How air feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feeling {
    Cold,
    Comfortable,
    Dry,
    Hot,
    Muggy,
}

impl Feeling {
    /// A dew point above 20 degrees is muggy at any temperature that allows it; below 0 it is dry.
    pub(crate) fn of(temperature: f64, dew_point: f64) -> Self {
        if temperature < 16.0 {
            Feeling::Cold
        } else if dew_point > 20.0 {
            Feeling::Muggy
        } else if temperature > 27.0 {
            Feeling::Hot
        } else if dew_point < 0.0 {
            Feeling::Dry
        } else {
            Feeling::Comfortable
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Feeling::Cold => "cold",
            Feeling::Comfortable => "comfortable",
            Feeling::Dry => "dry",
            Feeling::Hot => "hot",
            Feeling::Muggy => "muggy",
        }
    }
}

/// The constants of the Magnus formula over water.
const B: f64 = 17.62;
const C: f64 = 243.12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturated_air_is_at_its_dew_point() {
        for temperature in [-40.0, 0.0, 21.5, 60.0] {
            assert!((dew_point(temperature, 100.0).unwrap() - temperature).abs() < 1e-9);
        }
    }

    #[test]
    fn known_dew_points() {
        for (temperature, humidity, expected) in [(20.0, 50.0, 9.26), (30.0, 70.0, 23.93), (25.0, 30.0, 6.21)] {
            assert!((dew_point(temperature, humidity).unwrap() - expected).abs() < 0.02);
        }
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        for (temperature, humidity) in [(20.0, 0.0), (20.0, -5.0), (20.0, 100.1), (20.0, f64::NAN), (90.0, 50.0)] {
            assert!(dew_point(temperature, humidity).is_err(), "{temperature} {humidity}");
        }
    }

    #[test]
    fn feelings_at_their_bounds() {
        assert_eq!(Feeling::of(15.9, 5.0), Feeling::Cold);
        assert_eq!(Feeling::of(16.0, 5.0), Feeling::Comfortable);
        assert_eq!(Feeling::of(20.0, -0.1), Feeling::Dry);
        assert_eq!(Feeling::of(27.1, 20.0), Feeling::Hot);
        assert_eq!(Feeling::of(24.0, 20.1), Feeling::Muggy);
    }
}
