pub(crate) async fn moving_average<Rt>(
    ctx: anabranch::RuntimeContext<Rt>,
    input: &mut Consumer<f32>,
    output: &Producer<f32>,
    alarm: Producer<()>,
    over: usize,
) -> core::result::Result<(), &'static str>
where
    Rt: Runtime,
{
    Ok(())
}
///The service `average`.
pub(crate) struct MovingAverage;
#[allow(
    clippy::too_many_arguments,
    reason = "a service's parameters, and beside them those of its supervision"
)]
const _: () = {
    static __CONFIG: ::anabranch::ServiceConfig = {
        let mut config = ::anabranch::ServiceConfig::DEFAULT;
        config.restart = ::anabranch::RestartPolicy::OnFailure;
        config.backoff = ::anabranch::Duration::new(0u64, 50000000u32);
        config.max_backoff = ::anabranch::Duration::new(120u64, 0u32);
        config.limit = ::core::option::Option::Some(5u32);
        config
    };
    fn __run<Rt, __Stop, __End>(
        ctx: ::anabranch::RuntimeContext<Rt>,
        mut supervisor: ::anabranch::Supervisor<__Stop>,
        ended: impl ::core::ops::FnOnce(::anabranch::ServiceEnd) -> __End,
        mut input: Consumer<f32>,
        output: Producer<f32>,
        alarm: Producer<()>,
        over: usize,
    ) -> impl ::core::future::Future<Output = __End>
    where
        Rt: Runtime,
        Rt: ::anabranch::TimeSource,
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
                            moving_average(::core::clone::Clone::clone(& ctx), & mut
                            input, & output, alarm.lend(), ::core::clone::Clone::clone(&
                            over))
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
                        input.again();
                    }
                    ::anabranch::Next::End(end) => break ended(end),
                }
            }
        }
    }
    fn __task<Rt>(
        ctx: ::anabranch::RuntimeContext<Rt>,
        supervisor: ::anabranch::Supervisor<::anabranch::RunsOn>,
        input: Consumer<f32>,
        output: Producer<f32>,
        alarm: Producer<()>,
        over: usize,
    ) -> impl ::core::future::Future<Output = ()>
    where
        Rt: Runtime,
        Rt: ::anabranch::TimeSource,
    {
        __run(ctx, supervisor, ::core::mem::drop, input, output, alarm, over)
    }
    #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
    impl MovingAverage {
        /// What the service is called in logs, graphs and dashboards.
        pub const NAME: &'static str = "average";
    }
    static __STATES: [::anabranch::ServiceState; 1usize] = [const {
        ::anabranch::ServiceState::new()
    }; 1usize];
    #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
    impl MovingAverage {
        /// Starts the service in storage that is declared `static`, with no heap.
        ///
        /// # Errors
        /// `Busy` while it runs; `WrongType` when it was started on another runtime before.
        pub fn spawn_static<Rt>(
            runtime: &'static Rt,
            input: Consumer<f32>,
            output: Producer<f32>,
            alarm: Producer<()>,
            over: usize,
        ) -> ::core::result::Result<(), ::anabranch::SpawnError>
        where
            Rt: Runtime,
            Rt: ::anabranch::TimeSource + ::anabranch::SpawnStatically,
        {
            static __SLOT: ::anabranch::StaticSlot<
                { ::anabranch::__slot_words!(__task) },
            > = ::anabranch::StaticSlot::new();
            ::anabranch::SpawnStatically::spawn_static(
                runtime,
                &__SLOT,
                move || __task(
                    ::anabranch::RuntimeContext::new(
                        ::core::clone::Clone::clone(runtime),
                        Self::NAME,
                    ),
                    ::anabranch::Supervisor::new(
                        Self::NAME,
                        &__CONFIG,
                        ::anabranch::StateRef::Static(&__STATES[0]),
                        ::anabranch::RunsOn,
                    ),
                    input,
                    output,
                    alarm,
                    over,
                ),
            )
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
        impl MovingAverage {
            /// Starts the service as a task of its own. Await the handle to know how it ended for good.
            pub fn spawn<Rt>(
                runtime: &Rt,
                input: Consumer<f32>,
                output: Producer<f32>,
                alarm: Producer<()>,
                over: usize,
            ) -> <Rt as ::anabranch::SpawnDynamically>::JoinHandle<
                ::anabranch::ServiceEnd,
            >
            where
                Rt: Runtime,
                Rt: ::anabranch::TimeSource + ::anabranch::SpawnDynamically,
            {
                let run = __run(
                    ::anabranch::RuntimeContext::new(
                        ::core::clone::Clone::clone(runtime),
                        Self::NAME,
                    ),
                    ::anabranch::Supervisor::new(
                        Self::NAME,
                        &__CONFIG,
                        ::anabranch::StateRef::Shared(
                            ::anabranch::__private::new_state(),
                        ),
                        ::anabranch::RunsOn,
                    ),
                    ::core::convert::identity,
                    input,
                    output,
                    alarm,
                    over,
                );
                ::anabranch::SpawnDynamically::spawn(runtime, run)
            }
            /// The service over the records with these keys, for `with_service` of a database's builder.
            pub fn of<Rt>(
                input: impl ::anabranch::RecordKey<f32>,
                output: impl ::anabranch::RecordKey<f32>,
                alarm: impl ::anabranch::RecordKey<()>,
                over: usize,
            ) -> ::anabranch::ServiceSpec<Rt>
            where
                Rt: Runtime,
                Rt: ::anabranch::Runtime + ::anabranch::SpawnDynamically,
                for<'__of> usize: ::core::clone::Clone,
            {
                let mut draft = ::anabranch::ServiceDraft::new(Self::NAME, &__CONFIG);
                let input = draft.reads::<f32>(&input);
                let output = draft.writes::<f32>(&output);
                let alarm = draft.writes::<()>(&alarm);
                draft
                    .starts(move |ends, ctx, supervisor| {
                        ::core::result::Result::Ok(
                            __run(
                                ctx,
                                supervisor,
                                ::core::convert::identity,
                                ends.consumer(input)?,
                                ends.producer(output)?,
                                ends.producer(alarm)?,
                                ::core::clone::Clone::clone(&over),
                            ),
                        )
                    })
            }
        }
    }
};
