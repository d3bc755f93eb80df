use super::*;

#[test]
fn every_worker_answers_every_task() {
    let crew: Crew<u64, u64> = Crew::new();
    std::thread::scope(|scope| {
        let closing = crew.closing();
        for worker in 1..=3_u64 {
            let crew = &crew;
            scope.spawn(move || {
                let mut done = 0;
                while let Some(task) = crew.next(done) {
                    done += 1;
                    crew.answer(task * worker);
                }
            });
        }
        for task in 0..2_000 {
            crew.post(task);
            let answers = crew.collect(3);
            assert_eq!(answers.iter().sum::<u64>(), task * 6);
        }
        drop(closing);
    });
}

#[test]
fn a_worker_that_dies_is_noticed() {
    let crew: Crew<u64, u64> = Crew::new();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        std::thread::scope(|scope| {
            let _closing = crew.closing();
            scope.spawn(|| {
                let _closing = crew.closing();
                let task = crew.next(0).unwrap_or(0);
                assert!(task != 7, "dies on purpose");
            });
            crew.post(7);
            crew.collect(1)
        })
    }));
    assert!(outcome.is_err());
}
