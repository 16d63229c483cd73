async fn r#loop<R: Runtime + SpawnDynamically>(ctx: RuntimeContext<R>) -> Result<(), E> {
    Ok(())
}
///The service `loop`.
struct Loop;
#[allow(
    clippy::too_many_arguments,
    reason = "a service's parameters, and beside them those of its supervision"
)]
const _: () = {
    static __CONFIG: crate::facade::ServiceConfig = crate::facade::ServiceConfig::DEFAULT;
    fn __run<R: Runtime + SpawnDynamically + crate::facade::TimeSource, __Stop, __End>(
        ctx: crate::facade::RuntimeContext<R>,
        mut supervisor: crate::facade::Supervisor<__Stop>,
        ended: impl ::core::ops::FnOnce(crate::facade::ServiceEnd) -> __End,
    ) -> impl ::core::future::Future<Output = __End>
    where
        __Stop: crate::facade::StopSignal,
    {
        async move {
            let end = supervisor.run(::core::pin::pin!(r#loop(ctx,))).await;
            match supervisor.after(end, false) {
                crate::facade::Next::End(end) => ended(end),
                crate::facade::Next::Restart(_) => {
                    ended(crate::facade::ServiceEnd::Failed)
                }
            }
        }
    }
    #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
    impl Loop {
        /// What the service is called in logs, graphs and dashboards.
        pub const NAME: &'static str = "loop";
    }
    mod __if_alloc {
        #[allow(
            dead_code,
            reason = "of the ways to start a service, most programs use one"
        )]
        impl Loop {
            /// Starts the service as a task of its own. Await the handle to know how it ended for good.
            pub fn spawn<
                R: Runtime + SpawnDynamically + crate::facade::TimeSource
                    + crate::facade::SpawnDynamically,
            >(
                runtime: &R,
            ) -> <R as crate::facade::SpawnDynamically>::JoinHandle<
                crate::facade::ServiceEnd,
            > {
                let run = __run(
                    crate::facade::RuntimeContext::new(
                        ::core::clone::Clone::clone(runtime),
                        Self::NAME,
                    ),
                    crate::facade::Supervisor::new(
                        Self::NAME,
                        &__CONFIG,
                        crate::facade::StateRef::Shared(
                            crate::facade::__private::new_state(),
                        ),
                        crate::facade::RunsOn,
                    ),
                    ::core::convert::identity,
                );
                crate::facade::SpawnDynamically::spawn(runtime, run)
            }
            /// The service over the records with these keys, for `with_service` of a database's builder.
            pub fn of<
                R: Runtime + SpawnDynamically + crate::facade::Runtime
                    + crate::facade::SpawnDynamically,
            >() -> crate::facade::ServiceSpec<R> {
                let draft = crate::facade::ServiceDraft::new(Self::NAME, &__CONFIG);
                draft
                    .starts(move |ends, ctx, supervisor| {
                        ::core::result::Result::Ok(
                            __run(ctx, supervisor, ::core::convert::identity),
                        )
                    })
            }
        }
    }
};
