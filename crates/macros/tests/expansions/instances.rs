async fn worker<R: Runtime>(
    ctx: RuntimeContext<R>,
    work: &mut Consumer<Job>,
    done: Producer<Done>,
    speed: u8,
) -> Result<(), Broken> {
    Ok(())
}
///The service `worker`.
struct Worker;
#[allow(
    clippy::too_many_arguments,
    reason = "a service's parameters, and beside them those of its supervision"
)]
const _: () = {
    static __CONFIG: ::anabranch::ServiceConfig = {
        let mut config = ::anabranch::ServiceConfig::DEFAULT;
        config.restart = ::anabranch::RestartPolicy::Always;
        config.instances = 4u16;
        config
    };
    fn __run<R: Runtime + ::anabranch::TimeSource, __Stop, __End>(
        ctx: ::anabranch::RuntimeContext<R>,
        mut supervisor: ::anabranch::Supervisor<__Stop>,
        ended: impl ::core::ops::FnOnce(::anabranch::ServiceEnd) -> __End,
        mut work: Consumer<Job>,
        done: Producer<Done>,
        speed: u8,
    ) -> impl ::core::future::Future<Output = __End>
    where
        __Stop: ::anabranch::StopSignal,
    {
        async move {
            loop {
                let healthy_from = ::anabranch::Moment::after(
                    ::anabranch::TimeSource::now(ctx.runtime()),
                    __CONFIG.max_backoff,
                );
                let end = supervisor
                    .run(
                        ::core::pin::pin!(
                            worker(::core::clone::Clone::clone(& ctx), & mut work, done
                            .lend(), ::core::clone::Clone::clone(& speed))
                        ),
                    )
                    .await;
                match supervisor
                    .after(
                        end,
                        ::anabranch::TimeSource::now(ctx.runtime()) >= healthy_from,
                    )
                {
                    ::anabranch::Next::Restart(pause) => {
                        supervisor
                            .pause(
                                ::core::pin::pin!(
                                    ::anabranch::TimeSource::sleep(ctx.runtime(), pause)
                                ),
                            )
                            .await;
                        work.again();
                    }
                    ::anabranch::Next::End(end) => break ended(end),
                }
            }
        }
    }
    fn __task<R: Runtime + ::anabranch::TimeSource>(
        ctx: ::anabranch::RuntimeContext<R>,
        supervisor: ::anabranch::Supervisor<::anabranch::RunsOn>,
        work: Consumer<Job>,
        done: Producer<Done>,
        speed: u8,
    ) -> impl ::core::future::Future<Output = ()> {
        __run(ctx, supervisor, ::core::mem::drop, work, done, speed)
    }
    #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
    impl Worker {
        /// What the service is called in logs, graphs and dashboards.
        pub const NAME: &'static str = "worker";
    }
    static __STATES: [::anabranch::ServiceState; 4usize] = [const {
        ::anabranch::ServiceState::new()
    }; 4usize];
    #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
    impl Worker {
        /// Starts the service's instances in storage that is declared `static`, with no heap.
        ///
        /// # Errors
        /// `Busy` at the first instance that still runs, `WrongType` when they were started on another runtime before;
        /// the instances before that one were started.
        pub fn spawn_static<
            R: Runtime + ::anabranch::TimeSource + ::anabranch::SpawnStatically,
        >(
            runtime: &'static R,
            work: Consumer<Job>,
            done: Producer<Done>,
            speed: u8,
        ) -> ::core::result::Result<(), ::anabranch::SpawnError> {
            static __SLOTS: [::anabranch::StaticSlot<
                { ::anabranch::__slot_words!(__task) },
            >; 4usize] = [const { ::anabranch::StaticSlot::new() }; 4usize];
            for (instance, (slot, state)) in ::core::iter::Iterator::enumerate(
                ::core::iter::zip(&__SLOTS, &__STATES),
            ) {
                ::anabranch::SpawnStatically::spawn_static(
                    runtime,
                    slot,
                    || __task(
                        ::anabranch::RuntimeContext::new(
                                ::core::clone::Clone::clone(runtime),
                                Self::NAME,
                            )
                            .with_instance(instance as u16),
                        ::anabranch::Supervisor::new(
                            Self::NAME,
                            &__CONFIG,
                            ::anabranch::StateRef::Static(state),
                            ::anabranch::RunsOn,
                        ),
                        ::core::clone::Clone::clone(&work),
                        done.lend(),
                        ::core::clone::Clone::clone(&speed),
                    ),
                )?;
            }
            ::core::result::Result::Ok(())
        }
        /// What instance number `instance` (from 0) of those that `spawn_static` starts is doing; `None` when
        /// there are fewer.
        pub fn state(
            instance: usize,
        ) -> ::core::option::Option<&'static ::anabranch::ServiceState> {
            __STATES.get(instance)
        }
    }
    mod __if_alloc {
        #[allow(
            dead_code,
            reason = "of the ways to start a service, most programs use one"
        )]
        impl Worker {
            /// Starts the service's instances, each as a task of its own. Await the handles to know how they ended for good.
            pub fn spawn<
                R: Runtime + ::anabranch::TimeSource + ::anabranch::SpawnDynamically,
            >(
                runtime: &R,
                work: Consumer<Job>,
                done: Producer<Done>,
                speed: u8,
            ) -> [<R as ::anabranch::SpawnDynamically>::JoinHandle<
                ::anabranch::ServiceEnd,
            >; 4usize] {
                ::core::array::from_fn(|instance| {
                    let run = __run(
                        ::anabranch::RuntimeContext::new(
                                ::core::clone::Clone::clone(runtime),
                                Self::NAME,
                            )
                            .with_instance(instance as u16),
                        ::anabranch::Supervisor::new(
                            Self::NAME,
                            &__CONFIG,
                            ::anabranch::StateRef::Shared(
                                ::anabranch::__private::new_state(),
                            ),
                            ::anabranch::RunsOn,
                        ),
                        ::core::convert::identity,
                        ::core::clone::Clone::clone(&work),
                        done.lend(),
                        ::core::clone::Clone::clone(&speed),
                    );
                    ::anabranch::SpawnDynamically::spawn(runtime, run)
                })
            }
            /// The service over the records with these keys, for `with_service` of a database's builder.
            pub fn of<R: Runtime + ::anabranch::Runtime + ::anabranch::SpawnDynamically>(
                work: impl ::anabranch::RecordKey<Job>,
                done: impl ::anabranch::RecordKey<Done>,
                speed: u8,
            ) -> ::anabranch::ServiceSpec<R>
            where
                for<'__of> u8: ::core::clone::Clone,
            {
                let mut draft = ::anabranch::ServiceDraft::new(Self::NAME, &__CONFIG);
                let work = draft.reads::<Job>(&work);
                let done = draft.writes::<Done>(&done);
                draft
                    .starts(move |ends, ctx, supervisor| {
                        ::core::result::Result::Ok(
                            __run(
                                ctx,
                                supervisor,
                                ::core::convert::identity,
                                ends.consumer(work)?,
                                ends.producer(done)?,
                                ::core::clone::Clone::clone(&speed),
                            ),
                        )
                    })
            }
        }
    }
};
