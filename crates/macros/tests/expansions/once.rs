/// Turns the fan on when it is hot.
pub async fn cooling<R: Runtime>(
    ctx: RuntimeContext<R>,
    mut temperature: Consumer<f32>,
    fan: Producer<Fan>,
    limit: f32,
) -> Result<(), Elapsed> {
    Ok(())
}
/// Turns the fan on when it is hot.
pub struct Cooling;
#[allow(
    clippy::too_many_arguments,
    reason = "a service's parameters, and beside them those of its supervision"
)]
const _: () = {
    static __CONFIG: ::anabranch::ServiceConfig = ::anabranch::ServiceConfig::DEFAULT;
    fn __run<R: Runtime + ::anabranch::TimeSource, __Stop, __End>(
        ctx: ::anabranch::RuntimeContext<R>,
        mut supervisor: ::anabranch::Supervisor<__Stop>,
        ended: impl ::core::ops::FnOnce(::anabranch::ServiceEnd) -> __End,
        temperature: Consumer<f32>,
        fan: Producer<Fan>,
        limit: f32,
    ) -> impl ::core::future::Future<Output = __End>
    where
        __Stop: ::anabranch::StopSignal,
    {
        async move {
            let end = supervisor
                .run(::core::pin::pin!(cooling(ctx, temperature, fan, limit)))
                .await;
            match supervisor.after(end, false) {
                ::anabranch::Next::End(end) => ended(end),
                ::anabranch::Next::Restart(_) => ended(::anabranch::ServiceEnd::Failed),
            }
        }
    }
    fn __task<R: Runtime + ::anabranch::TimeSource>(
        ctx: ::anabranch::RuntimeContext<R>,
        supervisor: ::anabranch::Supervisor<::anabranch::RunsOn>,
        temperature: Consumer<f32>,
        fan: Producer<Fan>,
        limit: f32,
    ) -> impl ::core::future::Future<Output = ()> {
        __run(ctx, supervisor, ::core::mem::drop, temperature, fan, limit)
    }
    #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
    impl Cooling {
        /// What the service is called in logs, graphs and dashboards.
        pub const NAME: &'static str = "cooling";
    }
    static __STATES: [::anabranch::ServiceState; 1usize] = [const {
        ::anabranch::ServiceState::new()
    }; 1usize];
    #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
    impl Cooling {
        /// Starts the service in storage that is declared `static`, with no heap.
        ///
        /// # Errors
        /// `Busy` while it runs; `WrongType` when it was started on another runtime before.
        pub fn spawn_static<
            R: Runtime + ::anabranch::TimeSource + ::anabranch::SpawnStatically,
        >(
            runtime: &'static R,
            temperature: Consumer<f32>,
            fan: Producer<Fan>,
            limit: f32,
        ) -> ::core::result::Result<(), ::anabranch::SpawnError> {
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
                    temperature,
                    fan,
                    limit,
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
        impl Cooling {
            /// Starts the service as a task of its own. Await the handle to know how it ended for good.
            pub fn spawn<
                R: Runtime + ::anabranch::TimeSource + ::anabranch::SpawnDynamically,
            >(
                runtime: &R,
                temperature: Consumer<f32>,
                fan: Producer<Fan>,
                limit: f32,
            ) -> <R as ::anabranch::SpawnDynamically>::JoinHandle<
                ::anabranch::ServiceEnd,
            > {
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
                    temperature,
                    fan,
                    limit,
                );
                ::anabranch::SpawnDynamically::spawn(runtime, run)
            }
            /// The service over the records with these keys, for `with_service` of a database's builder.
            pub fn of<R: Runtime + ::anabranch::Runtime + ::anabranch::SpawnDynamically>(
                temperature: impl ::anabranch::RecordKey<f32>,
                fan: impl ::anabranch::RecordKey<Fan>,
                limit: f32,
            ) -> ::anabranch::ServiceSpec<R>
            where
                for<'__of> f32: ::core::clone::Clone,
            {
                let mut draft = ::anabranch::ServiceDraft::new(Self::NAME, &__CONFIG);
                let temperature = draft.reads::<f32>(&temperature);
                let fan = draft.writes::<Fan>(&fan);
                draft
                    .starts(move |ends, ctx, supervisor| {
                        ::core::result::Result::Ok(
                            __run(
                                ctx,
                                supervisor,
                                ::core::convert::identity,
                                ends.consumer(temperature)?,
                                ends.producer(fan)?,
                                ::core::clone::Clone::clone(&limit),
                            ),
                        )
                    })
            }
        }
    }
};
