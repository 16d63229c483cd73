//! Records that are made from other records: transforms of one, joins of several. Each is a service of its own.

use super::service::{ServiceDraft, ServiceSpec};
use crate::{Consumer, Next, Producer, RecordKey, RestartPolicy, ServiceConfig, ServiceEnd, StopSignal, Supervisor};
use alloc::{format, sync::Arc};
use anabranch_executor::{MaybeSend, MaybeSync, Moment, Runtime, RuntimeContext, SpawnDynamically, TimeSource};
use core::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};
use futures_core::Stream;

/// A function that panics on one value is called again with the next.
pub(super) static RESTARTED: ServiceConfig =
    ServiceConfig { restart: RestartPolicy::OnFailure, backoff: core::time::Duration::ZERO, ..ServiceConfig::DEFAULT };

/// Runs `work` again after each panic: by itself it ends only when its inputs have.
pub(super) async fn supervised<R: TimeSource, S: StopSignal>(
    ctx: RuntimeContext<R>,
    mut supervisor: Supervisor<S>,
    mut work: impl Run + MaybeSend,
) -> ServiceEnd {
    loop {
        let healthy_from = ctx.now().after(RESTARTED.max_backoff);
        let end = supervisor.run(work.run()).await;
        match supervisor.after(end, ctx.now() >= healthy_from) {
            Next::Restart(pause) => supervisor.pause(ctx.sleep(pause)).await,
            Next::End(end) => return end,
        }
    }
}

/// Work that keeps its ends between runs.
pub(super) trait Run {
    fn run(&mut self) -> impl Future<Output = Result<(), Infallible>> + MaybeSend;
}

struct Transform<A: 'static, B: 'static, F> {
    input: Consumer<A>,
    output: Producer<B>,
    function: Arc<F>,
}

impl<A, B, F> Run for Transform<A, B, F>
where
    A: Clone + Send + 'static,
    B: Clone + Send + 'static,
    F: Fn(A) -> Option<B> + MaybeSend + MaybeSync + 'static,
{
    async fn run(&mut self) -> Result<(), Infallible> {
        while let Some(value) = self.input.next().await {
            if let Some(made) = (self.function)(value) {
                let _left = self.output.send(made).await; // nobody reads it any more: go on until the input ends
            }
        }
        Ok(())
    }
}

/// The service that makes values of `to` from those of `from`.
pub(super) fn transform<R, A, B>(
    from: &(impl RecordKey<A> + ?Sized),
    to: &str,
    function: impl Fn(A) -> Option<B> + MaybeSend + MaybeSync + 'static,
) -> ServiceSpec<R>
where
    R: Runtime + SpawnDynamically,
    A: Clone + Send + 'static,
    B: Clone + Send + 'static,
{
    let mut draft = ServiceDraft::derived(format!("{to} from {}", RecordKey::<A>::name(from)), "transform", &RESTARTED);
    let (input, output) = (draft.reads::<A>(from), draft.writes::<B>(to));
    let function = Arc::new(function);
    draft.starts(move |ends, ctx, supervisor| {
        let work =
            Transform { input: ends.consumer(input)?, output: ends.producer(output)?, function: function.clone() };
        Ok(supervised(ctx, supervisor, work))
    })
}

/// The types of the records that a join reads: a tuple of two to four.
///
/// `r.join::<(Temperature, Humidity), _, _>(["temperature", "humidity"], |(t, h)| Some(comfort(*t, *h)))`
pub trait Joined: Send + Sized + 'static {
    /// The keys of the records, in the order of the types.
    type Keys<'k>;
    /// The newest value of each record.
    type Newest<'a>;
    #[doc(hidden)]
    fn spec<R, T, F>(keys: Self::Keys<'_>, to: &str, function: F) -> ServiceSpec<R>
    where
        R: Runtime + SpawnDynamically,
        T: Clone + Send + 'static,
        F: for<'a> Fn(Self::Newest<'a>) -> Option<T> + MaybeSend + MaybeSync + 'static;
}

macro_rules! joined {
    ($join:ident, $count:literal, $($ty:ident $value:ident $n:tt),*) => {
        struct $join<T: 'static, F, $($ty: 'static),*> {
            inputs: ($(Consumer<$ty>,)*),
            newest: ($(Option<$ty>,)*),
            output: Producer<T>,
            function: Arc<F>,
        }

        impl<T, F, $($ty),*> $join<T, F, $($ty),*>
        where
            F: for<'a> Fn(($(&'a $ty,)*)) -> Option<T>,
        {
            /// A value, once every input has one.
            fn make(newest: &($(Option<$ty>,)*), function: &F) -> Option<T> {
                let ($(Some($value),)*) = newest else { return None };
                function(($($value,)*))
            }
        }

        impl<T, F, $($ty),*> Run for $join<T, F, $($ty),*>
        where
            T: Clone + Send + 'static,
            F: for<'a> Fn(($(&'a $ty,)*)) -> Option<T> + MaybeSend + MaybeSync + 'static,
            $($ty: Clone + Send + 'static),*
        {
            fn run(&mut self) -> impl Future<Output = Result<(), Infallible>> + MaybeSend {
                async {
                    let Self { inputs, newest, output, function } = self;
                    $(let mut $value = pin!(inputs.$n.stream());)*
                    let mut open = [true; $count];
                    // One value at a time, so that what is made of it is made of nothing that was received after it; and
                    // each input in turn, so that one that is never out of values does not keep the others from theirs.
                    let mut turn = 0;
                    loop {
                        let mut came: ($(Option<$ty>,)*) = Default::default();
                        let mut ended = true;
                        poll_fn(|cx| {
                            for this_round in [true, false] {
                                $(
                                    if open[$n] && ($n >= turn) == this_round {
                                        match $value.as_mut().poll_next(cx) {
                                            Poll::Ready(Some(value)) => {
                                                came.$n = Some(value);
                                                turn = $n + 1;
                                                ended = false;
                                                return Poll::Ready(());
                                            }
                                            Poll::Ready(None) => open[$n] = false,
                                            Poll::Pending => {}
                                        }
                                    }
                                )*
                            }
                            if open.contains(&true) { Poll::Pending } else { Poll::Ready(()) }
                        })
                        .await;
                        $(
                            if let Some(value) = came.$n {
                                newest.$n = Some(value);
                                if let Some(made) = Self::make(newest, function) {
                                    let _left = output.send(made).await; // as in a transform
                                }
                            }
                        )*
                        if ended {
                            return Ok(());
                        }
                    }
                }
            }
        }

        impl<$($ty: Clone + Send + 'static),*> Joined for ($($ty,)*) {
            type Keys<'k> = [&'k str; $count];
            type Newest<'a> = ($(&'a $ty,)*);
            fn spec<R, T, Func>(keys: [&str; $count], to: &str, function: Func) -> ServiceSpec<R>
            where
                R: Runtime + SpawnDynamically,
                T: Clone + Send + 'static,
                Func: for<'a> Fn(Self::Newest<'a>) -> Option<T> + MaybeSend + MaybeSync + 'static,
            {
                let name = format!("{to} from {}", keys.join(", "));
                let mut draft = ServiceDraft::derived(name, "join", &RESTARTED);
                let inputs = ($(draft.reads::<$ty>(keys[$n]),)*);
                let output = draft.writes::<T>(to);
                let function = Arc::new(function);
                draft.starts(move |ends, ctx, supervisor| {
                    let work = $join {
                        inputs: ($(ends.consumer(inputs.$n)?,)*),
                        newest: ($(None::<$ty>,)*),
                        output: ends.producer(output)?,
                        function: function.clone(),
                    };
                    Ok(supervised(ctx, supervisor, work))
                })
            }
        }
    };
}
joined!(JoinOfTwo, 2, A a 0, B b 1);
joined!(JoinOfThree, 3, A a 0, B b 1, C c 2);
joined!(JoinOfFour, 4, A a 0, B b 1, C c 2, D d 3);
