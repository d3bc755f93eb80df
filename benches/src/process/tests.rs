use super::*;

#[test]
fn memory_is_read_by_name() {
    let status = "Name:\tbench\nVmHWM:\t   5120 kB\nVmRSS:\t    4096 kB\nRssAnon:\t 1024 kB\n";
    let expected = Memory {
        resident_kb: 4096,
        resident_peak_kb: 5120,
        anonymous_kb: 1024,
    };
    assert_eq!(parse_memory(status), expected);
    assert!(memory("self").unwrap().resident_kb > 0);
}

#[test]
fn processor_time_is_found_behind_any_name() {
    let stat = "42 (a (strange) name) S 1 42 42 0 -1 4194304 100 0 0 0 70 30 5 5 20 0 3 0 1000";
    assert_eq!(parse_cpu_ticks(stat), Some(100));
    assert_eq!(parse_cpu_ticks("42 (cut"), None);
    assert!(cpu_micros("self").is_ok());
}

#[test]
fn flushes_are_the_sixteenth_counter_of_the_disk() {
    let stats = " 253 0 zram0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n \
                 254 0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 2403 46\n";
    assert_eq!(parse_flushes(stats, 254, 0), Some(2403));
    assert_eq!(parse_flushes(stats, 254, 1), None);
    // Kernels before 5.5 do not count them.
    assert_eq!(parse_flushes("8 0 sda 1 2 3 4 5 6 7 8 9 10 11", 8, 0), None);
}
