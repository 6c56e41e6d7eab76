//! Captures that are handed out on the way instead of kept.

use super::Pass;
use crate::network::{ForwardRequest, GoOn, Network, NetworkError, ValueId};
use crate::{Backend, Tensor};

impl Network {
    /// Runs [`forward`](Self::forward), but hands every captured value out, once, as soon as it is
    /// there: the network's inputs and constants first, then what layers make in the order in which
    /// they run. A value that no layer needs any more is dropped then, and nothing is left behind.
    /// Asks `go_on` before every layer.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and when `go_on` or `take` does.
    pub fn forward_handing<E: From<NetworkError>>(
        &self,
        backend: &dyn Backend,
        inputs: &[Tensor],
        request: &ForwardRequest<'_>,
        go_on: GoOn<'_, E>,
        take: &mut dyn FnMut(ValueId, &Tensor) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut pass, needed) = Pass::start(self, backend, request, inputs)?;
        let given: Vec<ValueId> = pass.live.keys().copied().collect();
        for id in given {
            pass.hand_out(id, take)?;
        }
        for id in needed {
            go_on()?;
            pass.step(id)?;
            pass.hand_out(self.node(id).output, take)?;
        }
        Ok(())
    }
}

impl Pass<'_> {
    /// Hands a value out if it is there and captured: with that its captures are done.
    fn hand_out<E>(
        &mut self,
        id: ValueId,
        take: &mut dyn FnMut(ValueId, &Tensor) -> Result<(), E>,
    ) -> Result<(), E> {
        let captures = self.request.captures.iter().filter(|&&captured| captured == id).count();
        if captures > 0
            && let Some(value) = self.live.get(&id)
        {
            take(id, value)?;
            self.forget(id, captures);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::CpuBackend;
    use crate::network::testing::{Log, Spy, add, bits, with_image};

    #[test]
    fn values_are_handed_out_as_they_come_and_dropped_after_their_last_reader() {
        let (mut builder, image) = with_image([1, 2]);
        let log = Arc::new(Log::default());
        let a = add(&mut builder, "a", Spy(log.clone()), &[image]);
        let b = add(&mut builder, "b", Spy(log.clone()), &[a]);
        let c = add(&mut builder, "c", Spy(log.clone()), &[b]);
        let values = [image, a, b, c];
        let network = builder.finish(vec![values[3]]);
        // One is asked for twice, and the order of the captures does not matter.
        let captures = [values[3], values[1], values[0], values[1], values[2]];
        let request = ForwardRequest { captures: &captures, ..ForwardRequest::default() };
        let image = Tensor::new([1, 2], vec![3.0, -4.0]).unwrap();
        let mut handed = Vec::new();
        let mut take = |id: ValueId, value: &Tensor| {
            handed.push((id, bits(value)));
            Ok::<_, NetworkError>(())
        };
        let backend = CpuBackend::new();
        let images = std::slice::from_ref(&image);
        network.forward_handing(&backend, images, &request, &|| Ok(()), &mut take).unwrap();
        assert_eq!(log.most_alive(), 1);
        let trace = network.forward(&backend, images, &request).unwrap();
        let expected: Vec<_> =
            values.iter().map(|&id| (id, bits(trace.value(id).unwrap()))).collect();
        assert_eq!(handed, expected);
    }

    #[test]
    fn who_takes_values_may_stop_the_pass() {
        let (mut builder, image) = with_image([1, 2]);
        let log = Arc::new(Log::default());
        let first = add(&mut builder, "first", Spy(log.clone()), &[image]);
        let second = add(&mut builder, "second", Spy(log.clone()), &[first]);
        let network = builder.finish(vec![second]);
        let captures = [first, second];
        let request = ForwardRequest { captures: &captures, ..ForwardRequest::default() };
        let mut stop = |id: ValueId, _: &Tensor| {
            Err(NetworkError::NotRecorded { name: network.name_of(id).to_owned() })
        };
        let images = [Tensor::zeros([1, 2])];
        let (backend, go_on) = (CpuBackend::new(), || Ok(()));
        let stopped = network.forward_handing(&backend, &images, &request, &go_on, &mut stop);
        let stopped = stopped.unwrap_err();
        assert!(stopped.to_string().contains("first"), "{stopped}");
        assert_eq!(log.runs(), 1);
    }
}
