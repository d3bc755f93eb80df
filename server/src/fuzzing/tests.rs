//! The corpus and mutations of it, without a fuzzer.

use fuzz_replay::replay;
use serde_json::json;

use super::*;

#[test]
fn event_corpus() {
    let texts = [
        json!({"aggregate_type": "Vehicle", "aggregate_id": "185 123-4", "event_type": "VehicleCreated",
            "data": {"asset_id": "185 123-4", "model": "BR 185", "type": "electric", "status": "available"}}),
        json!({"aggregate_type": "Vehicle", "aggregate_id": "185 123-4", "event_type": "VehicleStatusChangedEvent",
            "data": {"old_status": "available", "new_status": "in_service"}, "expected_version": 7, "occurred_at": "2026-03-01T06:00:00+01:00",
            "metadata": {"user_id": "technik", "correlation_id": "j-1", "shift": [1, 2.5e300, null, true]}}),
        json!({"aggregate_type": "Crane", "aggregate_id": "Ä/\u{1f682}\u{202e}", "event_type": "CraneLifted", "event_version": 3,
            "id": "0192f0c1-2222-7333-8444-555566667777", "tags": ["a", "b"], "expected_version": "no_stream",
            "data": {"kg": 12345678901234567890_u64, "deep": {"a": {"b": {"c": [[[]]]}}}}}),
        json!({"events": [{"aggregate_type": "Crane", "aggregate_id": "1", "event_type": "CraneLifted", "data": {}},
            {"aggregate_type": "WorkOrder", "aggregate_id": "WO-1", "event_type": "WorkOrderCreated", "data": {"order_number": "WO-1"}}]}),
        json!({"a": 1}),
    ];
    let mut seeds: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| text.to_string().into_bytes())
        .collect();
    seeds.push(b"2026-03-29T02:30:00.123456+02:00".to_vec());
    seeds.push(br#" { "aggregate_type" : "C" , "aggregate_id":"\u00e4\ud83d\ude82","event_type":"E","data":{"k":"\\\"\n"}} "#.to_vec());
    replay("event", &seeds, event);
}

#[test]
fn ingest_corpus() {
    let line = json!({"aggregate_type": "Crane", "aggregate_id": "1", "event_type": "CraneLifted", "data": {"kg": 7}}).to_string();
    let cloud = json!({"specversion": "1.0", "id": "A-1", "source": "/depot/köln", "type": "com.example.VehicleStatusChanged",
        "subject": "185 123-4", "time": "2026-03-01T06:00:00+01:00", "datacontenttype": "application/json",
        "data": {"old_status": "available", "new_status": "in_service"}})
    .to_string();
    let header = "date,time,line,code,min_delay,min_gap,bound,vehicle,unit,fleet,group,fail\n";
    let rows = [
        "2024-01-01,06:12,YU,MUIS,3,8,N,5391,5390,T1,Door,1\n",
        "2024-03-10,02:30,BD,EUBO,0,0,,0,6011,TR,\"Brakes, \"\"hot\"\"\nand more\",0\n",
        "2024-11-03,01:30,YU,,x,,S,5391,,T1,,\n",
    ];
    let seeds = [
        format!("{line}\n"),
        format!("\u{feff}{line}\r\n\r\n{cloud}\n{{}}\n{line}"),
        format!("{cloud}\n"),
        format!("{header}{}", rows.concat()),
        format!("{header}{}", rows[0]),
    ];
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(String::into_bytes).collect();
    let mut taken = 0;
    ingest::fuzz(&seeds[3], &mut |_| taken += 1);
    assert!(taken >= 2, "rows become events");
    replay("ingest", &seeds, ingested);
}
