//! What models run on: the execution providers that the loaded ONNX Runtime offers.

use ort::ep::{
    CPU, CUDA, CoreML, DirectML, ExecutionProvider, ExecutionProviderDispatch, MIGraphX, OpenVINO,
    TensorRT,
};

use crate::config::Device;

/// Every device but the processor, the preferred first. TensorRT is not among those that are
/// chosen without being asked for: it builds an engine for each model, for minutes.
const ORDER: [Device; 5] = [
    Device::Cuda,
    Device::Migraphx,
    Device::Directml,
    Device::Coreml,
    Device::Openvino,
];

/// What to run models on, in the order in which it is tried. Only `required` leaves the processor
/// out.
///
/// # Errors
/// A sentence: the device is required, and this library does not offer it.
pub fn devices(wanted: Device, required: bool) -> Result<Vec<Device>, String> {
    let offered = |device: &Device| is_offered(*device);
    let mut devices: Vec<_> = match wanted {
        Device::Auto => ORDER.into_iter().filter(offered).collect(),
        Device::Cpu => Vec::new(),
        device => [device].into_iter().filter(offered).collect(),
    };
    if devices.is_empty() && required && wanted != Device::Cpu {
        let all = [Device::Tensorrt].into_iter().chain(ORDER).filter(offered);
        let all: Vec<_> = [Device::Cpu]
            .into_iter()
            .chain(all)
            .map(Device::name)
            .collect();
        return Err(format!(
            "--device {} --require-device: the ONNX Runtime that is loaded offers {}",
            wanted.name(),
            all.join(", ")
        ));
    }
    if !required || wanted == Device::Cpu {
        devices.push(Device::Cpu);
    }
    Ok(devices)
}

/// Whether the library was built for the device. Whether there is one shows when a model is loaded.
fn is_offered(device: Device) -> bool {
    let offered = match device {
        Device::Auto | Device::Cpu => Ok(true),
        Device::Cuda => CUDA::is_available(),
        Device::Tensorrt => TensorRT::is_available(),
        Device::Migraphx => MIGraphX::is_available(),
        Device::Directml => DirectML::is_available(),
        Device::Coreml => CoreML::is_available(),
        Device::Openvino => OpenVINO::is_available(),
    };
    offered.unwrap_or(false)
}

/// The providers of a session. What a device does not know runs on the processor, without an arena
/// that would keep tensors, unless a test wants that (`keeps`).
pub fn providers(device: Device, keeps: bool) -> Vec<ExecutionProviderDispatch> {
    let own = match device {
        Device::Auto | Device::Cpu => None,
        Device::Cuda => Some(CUDA::default().build()),
        Device::Tensorrt => Some(TensorRT::default().build()),
        Device::Migraphx => Some(MIGraphX::default().build()),
        Device::Directml => Some(DirectML::default().build()),
        Device::Coreml => Some(CoreML::default().build()),
        Device::Openvino => Some(OpenVINO::default().build()),
    };
    // A provider that cannot be registered would otherwise be left out in silence.
    let own = own.map(ExecutionProviderDispatch::error_on_failure);
    let cpu = CPU::default().with_arena_allocator(keeps).build();
    own.into_iter().chain([cpu]).collect()
}
