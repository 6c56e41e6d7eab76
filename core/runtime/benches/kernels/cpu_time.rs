//! CPU time as what criterion measures, and rates as shares of a peak.

use std::time::Duration;

use ::cpu_time::ProcessTime;
use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};

/// The CPU time of the process. "Elements" are floating-point operations.
pub(crate) struct CpuTime {
    rates: Rates,
}

impl CpuTime {
    /// Holds rates against a peak in operations a second.
    pub(crate) fn new(peak: f64) -> Self {
        Self { rates: Rates { peak } }
    }
}

impl Measurement for CpuTime {
    type Intermediate = ProcessTime;
    type Value = Duration;

    fn start(&self) -> ProcessTime {
        ProcessTime::now()
    }

    fn end(&self, start: ProcessTime) -> Duration {
        start.elapsed()
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &self.rates
    }
}

struct Rates {
    peak: f64,
}

impl ValueFormatter for Rates {
    fn format_throughput(&self, throughput: &Throughput, nanoseconds: f64) -> String {
        let mut values = [nanoseconds];
        let unit = self.scale_throughputs(nanoseconds, throughput, &mut values);
        let [rate] = values;
        match throughput {
            Throughput::Elements(_) => {
                format!("{rate:.1} {unit} = {:.0} %", 100.0 * rate * 1e9 / self.peak)
            }
            _ => format!("{rate:.1} {unit}"),
        }
    }

    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        let (unit, size) = if typical < 1e6 { ("µs", 1e3) } else { ("ms", 1e6) };
        for value in values {
            *value /= size;
        }
        unit
    }

    fn scale_throughputs(
        &self,
        _typical: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        // A number a nanosecond is a billion a second.
        let (unit, count) = match throughput {
            Throughput::Elements(count) => ("GFLOP/s", *count),
            Throughput::Bytes(count) => ("GB/s", *count),
            _ => ("a nanosecond", 1),
        };
        for value in values {
            *value = count as f64 / *value;
        }
        unit
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "ns"
    }
}
