//! What `#[service]` generates beside the function: a unit struct that starts it, supervised.

use crate::{
    arguments::{Arguments, Restart},
    signature::{Kind, Parameter, Signature},
};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use std::time::Duration;
use syn::{Attribute, Ident, ItemFn, LitStr, Path, ReturnType, ext::IdentExt, parse_quote_spanned, spanned::Spanned};

/// The function and its service; or the function and what is wrong with it, so that the compiler goes on with the rest.
pub(crate) fn expand(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let service = syn::parse2::<ItemFn>(function.clone())
        .map_err(|error| syn::Error::new(error.span(), "`#[service]` stands on an `async fn`: move it there"))
        .and_then(|item| {
            let arguments = syn::parse2(arguments)?;
            let signature = Signature::of(&item, &arguments)?;
            Ok(Service::new(&arguments, &signature).generate())
        })
        .unwrap_or_else(syn::Error::into_compile_error);
    quote!(#function #service)
}

/// One service on its way from signature to code.
struct Service<'a> {
    krate: Path,
    arguments: &'a Arguments,
    signature: &'a Signature<'a>,
    /// Where the generated code seems to stand: names of its own, at the function's name.
    span: Span,
    /// What it is called: in logs and graphs, and as a type.
    name: LitStr,
    ty: Ident,
}

impl<'a> Service<'a> {
    fn new(arguments: &'a Arguments, signature: &'a Signature<'a>) -> Self {
        let function = &signature.item.sig.ident;
        let plain = function.unraw().to_string();
        let span = Span::mixed_site().located_at(function.span());
        Service {
            krate: arguments.krate.clone().unwrap_or_else(|| parse_quote_spanned!(span=> ::anabranch)),
            arguments,
            signature,
            span,
            name: arguments.name.clone().unwrap_or_else(|| LitStr::new(&plain, function.span())),
            ty: Ident::new(&camel_case(&plain), function.span()),
        }
    }

    fn generate(&self) -> TokenStream {
        let Service { krate, span, name, ty, .. } = self;
        let (vis, docs) = (&self.signature.item.vis, self.docs());
        let config = self.config();
        let (run, spawn, statically, of) = (self.run(), self.spawn(), self.statically(), self.of());
        quote_spanned! {*span=>
            #docs
            #vis struct #ty;

            #[allow(clippy::too_many_arguments, reason = "a service's parameters, and beside them those of its supervision")]
            const _: () = {
                static __CONFIG: #krate::ServiceConfig = #config;

                #run

                #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
                impl #ty {
                    /// What the service is called in logs, graphs and dashboards.
                    pub const NAME: &'static str = #name;

                }

                #statically

                #krate::__if_alloc! {
                    #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
                    impl #ty {
                        #spawn
                        #of
                    }
                }
            };
        }
    }

    /// The function's docs, or a line of its own.
    fn docs(&self) -> TokenStream {
        let docs: Vec<&Attribute> =
            self.signature.item.attrs.iter().filter(|attr| attr.path().is_ident("doc")).collect();
        if docs.is_empty() {
            let line = format!("The service `{}`.", self.name.value());
            return quote!(#[doc = #line]);
        }
        quote!(#(#docs)*)
    }

    fn config(&self) -> TokenStream {
        let (krate, arguments) = (&self.krate, self.arguments);
        let mut fields = Vec::new();
        let policy = match arguments.restart {
            Restart::Never => None,
            Restart::OnFailure => Some(quote!(OnFailure)),
            Restart::Always => Some(quote!(Always)),
        };
        fields.extend(policy.map(|policy| quote!(restart = #krate::RestartPolicy::#policy)));
        let duration = |length: Duration| {
            let (seconds, nanos) = (length.as_secs(), length.subsec_nanos());
            quote!(#krate::Duration::new(#seconds, #nanos))
        };
        let pauses = [("backoff", arguments.backoff), ("max_backoff", arguments.max_backoff)];
        fields.extend(pauses.into_iter().filter_map(|(field, length)| {
            let (field, length) = (format_ident!("{field}"), duration(length?));
            Some(quote!(#field = #length))
        }));
        fields.extend(arguments.limit.map(|limit| quote!(limit = ::core::option::Option::Some(#limit))));
        let instances = arguments.instances;
        fields.extend((instances > 1).then(|| quote!(instances = #instances)));
        if fields.is_empty() {
            return quote_spanned!(self.span=> #krate::ServiceConfig::DEFAULT);
        }
        // One by one: where all are set, there would be nothing left to take from the default, which lints tell the user of.
        quote_spanned!(self.span=> {
            let mut config = #krate::ServiceConfig::DEFAULT;
            #(config.#fields;)*
            config
        })
    }

    /// The supervised loop, which is the body of every task of this service.
    ///
    /// It is a block in a plain function, and not an `async fn`, because that would hold each parameter twice; what its
    /// end becomes is handed in, because another future around it would hold them once more.
    fn run(&self) -> TokenStream {
        let Service { krate, span, signature, .. } = self;
        let (runtime, function) = (&signature.runtime.ident, &signature.item.sig.ident);
        let (params, where_clause) = self.generics(&quote_spanned!(self.span=> #krate::TimeSource));
        let (owned, names) = (self.owned_parameters(), self.names());
        let mutable = signature.parameters.iter().map(|parameter| {
            let (name, ty) = (parameter.name, parameter.owned);
            let mutable = matches!(parameter.kind, Kind::Consumer(_))
                .then(|| parameter.lent.then(|| quote_spanned!(self.span=> mut)))
                .flatten();
            quote_spanned!(self.span=> #mutable #name: #ty)
        });
        let arguments = signature.parameters.iter().map(|parameter| self.argument_of_a_run(parameter));
        let consumers = signature.parameters.iter().filter(|parameter| matches!(parameter.kind, Kind::Consumer(_)));
        let again = consumers.map(|Parameter { name, .. }| quote_spanned!(*span=> #name.again();));
        let body = if self.arguments.restart == Restart::Never {
            let run = self.supervised(quote_spanned!(*span=> #function(ctx, #(#arguments),*)));
            quote_spanned! {*span=>
                let end = #run;
                match supervisor.after(end, false) {
                    #krate::Next::End(end) => ended(end),
                    // not with the policy "never"
                    #krate::Next::Restart(_) => ended(#krate::ServiceEnd::Failed),
                }
            }
        } else {
            let run =
                self.supervised(quote_spanned!(*span=> #function(::core::clone::Clone::clone(&ctx), #(#arguments),*)));
            quote_spanned! {*span=>
                loop {
                    let healthy_from =
                        #krate::Moment::after(#krate::TimeSource::now(ctx.runtime()), __CONFIG.max_backoff);
                    let end = #run;
                    match supervisor.after(end, #krate::TimeSource::now(ctx.runtime()) >= healthy_from) {
                        #krate::Next::Restart(pause) => {
                            supervisor.pause(::core::pin::pin!(#krate::TimeSource::sleep(ctx.runtime(), pause))).await;
                            #(#again)*
                        }
                        #krate::Next::End(end) => break ended(end),
                    }
                }
            }
        };
        let task = signature.sized_statically.then(|| {
            quote_spanned! {*span=>
                fn __task<#params>(
                    ctx: #krate::RuntimeContext<#runtime>,
                    supervisor: #krate::Supervisor<#krate::RunsOn>,
                    #owned
                ) -> impl ::core::future::Future<Output = ()>
                #where_clause
                {
                    __run(ctx, supervisor, ::core::mem::drop, #names)
                }
            }
        });
        quote_spanned! {*span=>
            fn __run<#params, __Stop, __End>(
                ctx: #krate::RuntimeContext<#runtime>,
                mut supervisor: #krate::Supervisor<__Stop>,
                ended: impl ::core::ops::FnOnce(#krate::ServiceEnd) -> __End,
                #(#mutable,)*
            ) -> impl ::core::future::Future<Output = __End>
            #where_clause
                __Stop: #krate::StopSignal,
            {
                async move { #body }
            }

            #task
        }
    }

    /// One run. It is pinned here, because the supervisor's future would hold what it is handed twice. The errors about what
    /// the function returns stand at the place where it says so.
    fn supervised(&self, run: TokenStream) -> TokenStream {
        let output = match &self.signature.item.sig.output {
            ReturnType::Type(_, output) => output.span(),
            ReturnType::Default => self.span,
        };
        quote_spanned!(Span::mixed_site().located_at(output)=> supervisor.run(::core::pin::pin!(#run)).await)
    }

    fn argument_of_a_run(&self, parameter: &Parameter<'_>) -> TokenStream {
        let name = parameter.name;
        let once = self.arguments.restart == Restart::Never;
        match parameter.kind {
            Kind::Consumer(_) if parameter.lent => quote_spanned!(self.span=> &mut #name),
            Kind::Producer(_) if parameter.lent => quote_spanned!(self.span=> &#name),
            Kind::Producer(_) if !once => quote_spanned!(self.span=> #name.lend()),
            Kind::Value if !once => cloned(parameter),
            _ => quote_spanned!(self.span=> #name),
        }
    }

    fn spawn(&self) -> TokenStream {
        let Service { krate, span, signature, .. } = self;
        let runtime = &signature.runtime.ident;
        let (params, where_clause) =
            self.generics(&quote_spanned!(self.span=> #krate::TimeSource + #krate::SpawnDynamically));
        let owned = self.owned_parameters();
        let state = quote_spanned!(*span=> #krate::StateRef::Shared(#krate::__private::new_state()));
        let (ctx, supervisor) = (self.ctx(), self.supervisor(state));
        let handle = quote_spanned!(self.span=> <#runtime as #krate::SpawnDynamically>::JoinHandle<#krate::ServiceEnd>);
        let instances = usize::from(self.arguments.instances);
        if instances == 1 {
            let names = self.names();
            return quote_spanned! {*span=>
                /// Starts the service as a task of its own. Await the handle to know how it ended for good.
                pub fn spawn<#params>(runtime: &#runtime, #owned) -> #handle
                #where_clause
                {
                    let run = __run(#ctx, #supervisor, ::core::convert::identity, #names);
                    #krate::SpawnDynamically::spawn(runtime, run)
                }
            };
        }
        let (ctx, shares) = (self.ctx_of_instance(), self.shares());
        quote_spanned! {*span=>
            /// Starts the service's instances, each as a task of its own. Await the handles to know how they ended for good.
            pub fn spawn<#params>(runtime: &#runtime, #owned) -> [#handle; #instances]
            #where_clause
            {
                ::core::array::from_fn(|instance| {
                    let run = __run(#ctx, #supervisor, ::core::convert::identity, #shares);
                    #krate::SpawnDynamically::spawn(runtime, run)
                })
            }
        }
    }

    /// The states, and what starts tasks that write to them: only where their size is known.
    fn statically(&self) -> Option<TokenStream> {
        if !self.signature.sized_statically {
            return None;
        }
        let Service { krate, span, ty, .. } = self;
        let (spawn_static, instances) = (self.spawn_static(), usize::from(self.arguments.instances));
        Some(quote_spanned! {*span=>
            static __STATES: [#krate::ServiceState; #instances] = [const { #krate::ServiceState::new() }; #instances];

            #[allow(dead_code, reason = "of the ways to start a service, most programs use one")]
            impl #ty {
                #spawn_static

                /// What instance number `instance` (from 0) of those that `spawn_static` starts is doing; `None` when
                /// there are fewer.
                pub fn state(instance: usize) -> ::core::option::Option<&'static #krate::ServiceState> {
                    __STATES.get(instance)
                }
            }
        })
    }

    fn spawn_static(&self) -> TokenStream {
        let Service { krate, span, signature, .. } = self;
        let runtime = &signature.runtime.ident;
        let (params, where_clause) =
            self.generics(&quote_spanned!(self.span=> #krate::TimeSource + #krate::SpawnStatically));
        let owned = self.owned_parameters();
        let output = quote_spanned!(self.span=> ::core::result::Result<(), #krate::SpawnError>);
        let slot = quote_spanned!(self.span=> #krate::StaticSlot<{ #krate::__slot_words!(__task) }>);
        let instances = usize::from(self.arguments.instances);
        if instances == 1 {
            let names = self.names();
            let (ctx, supervisor) =
                (self.ctx(), self.supervisor(quote_spanned!(*span=> #krate::StateRef::Static(&__STATES[0]))));
            return quote_spanned! {*span=>
                /// Starts the service in storage that is declared `static`, with no heap.
                ///
                /// # Errors
                /// `Busy` while it runs; `WrongType` when it was started on another runtime before.
                pub fn spawn_static<#params>(runtime: &'static #runtime, #owned) -> #output
                #where_clause
                {
                    static __SLOT: #slot = #krate::StaticSlot::new();
                    #krate::SpawnStatically::spawn_static(runtime, &__SLOT, move || __task(#ctx, #supervisor, #names))
                }
            };
        }
        let (ctx, supervisor) =
            (self.ctx_of_instance(), self.supervisor(quote_spanned!(*span=> #krate::StateRef::Static(state))));
        let shares = self.shares();
        quote_spanned! {*span=>
            /// Starts the service's instances in storage that is declared `static`, with no heap.
            ///
            /// # Errors
            /// `Busy` at the first instance that still runs, `WrongType` when they were started on another runtime before;
            /// the instances before that one were started.
            pub fn spawn_static<#params>(runtime: &'static #runtime, #owned) -> #output
            #where_clause
            {
                static __SLOTS: [#slot; #instances] = [const { #krate::StaticSlot::new() }; #instances];
                for (instance, (slot, state)) in ::core::iter::Iterator::enumerate(::core::iter::zip(&__SLOTS, &__STATES)) {
                    #krate::SpawnStatically::spawn_static(runtime, slot, || __task(#ctx, #supervisor, #shares))?;
                }
                ::core::result::Result::Ok(())
            }
        }
    }

    fn of(&self) -> TokenStream {
        let Service { krate, span, signature, .. } = self;
        let runtime = &signature.runtime.ident;
        let (params, mut where_clause) =
            self.generics(&quote_spanned!(self.span=> #krate::Runtime + #krate::SpawnDynamically));
        let (mut parameters, mut tokens, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for parameter in &signature.parameters {
            let (name, owned) = (parameter.name, parameter.owned);
            match parameter.kind {
                Kind::Consumer(value) => {
                    parameters.push(quote_spanned!(self.span=> #name: impl #krate::RecordKey<#value>));
                    tokens.push(quote_spanned!(*span=> let #name = draft.reads::<#value>(&#name);));
                    ends.push(quote_spanned!(*span=> ends.consumer(#name)?));
                }
                Kind::Producer(value) => {
                    parameters.push(quote_spanned!(self.span=> #name: impl #krate::RecordKey<#value>));
                    tokens.push(quote_spanned!(*span=> let #name = draft.writes::<#value>(&#name);));
                    ends.push(quote_spanned!(*span=> ends.producer(#name)?));
                }
                Kind::Value => {
                    parameters.push(quote_spanned!(self.span=> #name: #owned));
                    ends.push(cloned(parameter));
                    // Asked for here only: a service that is spawned once may have values that cannot be cloned. The `for`
                    // defers the question to whoever calls this.
                    where_clause.extend(quote_spanned!(owned.span()=> for<'__of> #owned: ::core::clone::Clone,));
                }
            }
        }
        let mutable = (!tokens.is_empty()).then(|| quote_spanned!(self.span=> mut));
        quote_spanned! {*span=>
            /// The service over the records with these keys, for `with_service` of a database's builder.
            pub fn of<#params>(#(#parameters),*) -> #krate::ServiceSpec<#runtime>
            #where_clause
            {
                let #mutable draft = #krate::ServiceDraft::new(Self::NAME, &__CONFIG);
                #(#tokens)*
                draft.starts(move |ends, ctx, supervisor| {
                    ::core::result::Result::Ok(__run(ctx, supervisor, ::core::convert::identity, #(#ends),*))
                })
            }
        }
    }

    fn ctx(&self) -> TokenStream {
        let krate = &self.krate;
        quote_spanned!(self.span=> #krate::RuntimeContext::new(::core::clone::Clone::clone(runtime), Self::NAME))
    }

    fn ctx_of_instance(&self) -> TokenStream {
        let ctx = self.ctx();
        quote_spanned!(self.span=> #ctx.with_instance(instance as u16))
    }

    fn supervisor(&self, state: TokenStream) -> TokenStream {
        let krate = &self.krate;
        quote_spanned!(self.span=> #krate::Supervisor::new(Self::NAME, &__CONFIG, #state, #krate::RunsOn))
    }

    /// The runtime with the user's bounds and `more`, and the user's `where`, which ends with a comma. The bounds stand
    /// where the user's do, because a lint of clippy objects to two places.
    fn generics(&self, more: &TokenStream) -> (TokenStream, TokenStream) {
        let (name, inline) = (&self.signature.runtime.ident, &self.signature.runtime.bounds);
        let predicates = self.signature.item.sig.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        if inline.is_empty() {
            (quote_spanned!(self.span=> #name), quote_spanned!(self.span=> where #(#predicates,)* #name: #more,))
        } else {
            (quote_spanned!(self.span=> #name: #inline + #more), quote_spanned!(self.span=> where #(#predicates,)*))
        }
    }

    /// The parameters after the context, each by value.
    fn owned_parameters(&self) -> TokenStream {
        let parameters = self.signature.parameters.iter().map(|parameter| {
            let (name, ty) = (parameter.name, parameter.owned);
            quote_spanned!(self.span=> #name: #ty)
        });
        quote_spanned!(self.span=> #(#parameters),*)
    }

    fn names(&self) -> TokenStream {
        let names = self.signature.parameters.iter().map(|parameter| parameter.name);
        quote_spanned!(self.span=> #(#names),*)
    }

    /// What one of several instances gets of each parameter.
    fn shares(&self) -> TokenStream {
        let shares = self.signature.parameters.iter().map(|parameter| match parameter.kind {
            Kind::Producer(_) => {
                let name = parameter.name;
                quote_spanned!(self.span=> #name.lend())
            }
            Kind::Consumer(_) | Kind::Value => cloned(parameter),
        });
        quote_spanned!(self.span=> #(#shares),*)
    }
}

/// A clone, with the error for a type that has none at that type.
fn cloned(parameter: &Parameter<'_>) -> TokenStream {
    let name = parameter.name;
    let span = Span::mixed_site().located_at(parameter.owned.span());
    quote_spanned!(span=> ::core::clone::Clone::clone(&#name))
}

/// `moving_average` → `MovingAverage`.
fn camel_case(name: &str) -> String {
    let capitalised = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    });
    capitalised.collect()
}
