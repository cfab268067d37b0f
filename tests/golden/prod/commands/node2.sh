# node2: 192.168.0.21, aarch64, 8 x 910B2; everything as root
# host_baseline: what the vendor's installers look for; the account needs a shell that lets it in
apt-get update && apt-get install -y gcc make dkms pciutils net-tools "linux-headers-$(uname -r)"
#   with RPM packages: dnf install -y gcc make dkms pciutils net-tools "kernel-devel-$(uname -r)"
getent group HwHiAiUser || groupadd --gid 1000 HwHiAiUser
id HwHiAiUser || useradd --create-home --uid 1000 --gid HwHiAiUser --shell /bin/bash HwHiAiUser
lspci -Dn -d 19e5:d802   # 8 lines
# docker_engine: 20.10.0 or newer
apt-get install -y docker.io
#   with RPM packages: dnf install -y docker-engine, or moby, or docker
docker version
# npu_driver: 25.0.rc1.b080; exit code 0: done, 2: done after a reboot, anything else: failed
mkdir -p /var/cache/provision && curl -fL -o /var/cache/provision/Ascend-hdk-910b-npu-driver_25.0.rc1.b080_linux-aarch64.run http://39.171.244.84:30011/drivers/HDK%2025.0.RC1/Ascend-hdk-910b-npu-driver_25.0.rc1.b080_linux-aarch64.run
echo '1111111111111111111111111111111111111111111111111111111111111111  /var/cache/provision/Ascend-hdk-910b-npu-driver_25.0.rc1.b080_linux-aarch64.run' | sha256sum --check
timeout 1800 bash /var/cache/provision/Ascend-hdk-910b-npu-driver_25.0.rc1.b080_linux-aarch64.run --nox11 --full --quiet --install-for-all < /dev/null
#   over a working driver: firmware first, both with: --nox11 --upgrade --quiet in place of the other options
# npu_firmware: 7.7.t20.0.b200
mkdir -p /var/cache/provision && curl -fL -o /var/cache/provision/Ascend-hdk-910b-npu-firmware_7.7.t20.0.b200.run http://39.171.244.84:30011/drivers/HDK%2025.0.RC1/Ascend-hdk-910b-npu-firmware_7.7.t20.0.b200.run
echo '2222222222222222222222222222222222222222222222222222222222222222  /var/cache/provision/Ascend-hdk-910b-npu-firmware_7.7.t20.0.b200.run' | sha256sum --check
timeout 1800 bash /var/cache/provision/Ascend-hdk-910b-npu-firmware_7.7.t20.0.b200.run --nox11 --full --quiet < /dev/null
# one reboot for both; then wait until every card answers
systemctl reboot
/usr/local/Ascend/driver/tools/upgrade-tool --device_index -1 --boot_status   # boot status:16, 8 times
npu-smi info   # 8 chips, Health OK
cat /usr/local/Ascend/driver/version.info /usr/local/Ascend/firmware/version.info
ls -l /dev/davinci0 /dev/davinci1 /dev/davinci2 /dev/davinci3 /dev/davinci4 /dev/davinci5 /dev/davinci6 /dev/davinci7 /dev/davinci_manager /dev/devmm_svm /dev/hisi_hdc
# ascend_docker_runtime: 6.0.0, into /usr/local/Ascend/Ascend-Docker-Runtime
mkdir -p /var/cache/provision && curl -fL -o /var/cache/provision/Ascend-docker-runtime_6.0.0_linux-aarch64.run https://gitee.com/ascend/mind-cluster/releases/download/v6.0.0/Ascend-docker-runtime_6.0.0_linux-aarch64.run
echo '3333333333333333333333333333333333333333333333333333333333333333  /var/cache/provision/Ascend-docker-runtime_6.0.0_linux-aarch64.run' | sha256sum --check
timeout 300 bash /var/cache/provision/Ascend-docker-runtime_6.0.0_linux-aarch64.run --install < /dev/null
systemctl daemon-reload && systemctl restart docker
docker info | grep -i 'default runtime'
# container_image: from the first source that has it; the name is the same on every host
docker pull --platform linux/arm64 swr.cn-east-3.myhuaweicloud.com/kubesre/quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler-linux-arm64 && docker tag swr.cn-east-3.myhuaweicloud.com/kubesre/quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler-linux-arm64 quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler
#   or: docker pull --platform linux/arm64 swr.cn-north-4.myhuaweicloud.com/ddn-k8s/quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler-linuxarm64 && docker tag swr.cn-north-4.myhuaweicloud.com/ddn-k8s/quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler-linuxarm64 quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler
#   or: docker pull --platform linux/arm64 quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler
docker image inspect quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler | grep sha256
# model_store: qwen3-235b-a22b, on every host of its services under the same path
mkdir -p /data2/Qwen3-235B-A22B
docker run \
  --rm \
  --network host \
  --mount type=bind,source=/data2/Qwen3-235B-A22B,target=/model \
  quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler modelscope download --model Qwen/Qwen3-235B-A22B --revision master --local_dir /model
# ray_cluster qwen3-235b: a worker, after the head on 192.168.0.15; systemd keeps it running as provision-ray-qwen3-235b.service
#   inside runs: ray start --address=192.168.0.15:6379 --num-gpus=8 --node-ip-address=192.168.0.21 --disable-usage-stats --block
docker run \
  --detach \
  --label provision.service=qwen3-235b \
  --label provision.digest=7e9dba338799cb3a \
  --rm \
  --init \
  --pull never \
  --name provision-ray-qwen3-235b \
  --network host \
  --shm-size 500g \
  --log-driver json-file \
  --log-opt max-size=50m \
  --log-opt max-file=3 \
  --device /dev/davinci0 \
  --device /dev/davinci1 \
  --device /dev/davinci2 \
  --device /dev/davinci3 \
  --device /dev/davinci4 \
  --device /dev/davinci5 \
  --device /dev/davinci6 \
  --device /dev/davinci7 \
  --device /dev/davinci_manager \
  --device /dev/devmm_svm \
  --device /dev/hisi_hdc \
  --mount type=bind,src=/usr/local/dcmi,dst=/usr/local/dcmi,readonly \
  --mount type=bind,src=/usr/local/Ascend/driver/lib64,dst=/usr/local/Ascend/driver/lib64,readonly \
  --mount type=bind,src=/usr/local/bin/npu-smi,dst=/usr/local/bin/npu-smi,readonly \
  --mount type=bind,src=/usr/local/Ascend/driver/version.info,dst=/usr/local/Ascend/driver/version.info,readonly \
  --mount type=bind,src=/etc/ascend_install.info,dst=/etc/ascend_install.info,readonly \
  --mount type=bind,src=/data2/Qwen3-235B-A22B,dst=/data2/Qwen3-235B-A22B,readonly \
  --env VLLM_HOST_IP=192.168.0.21 \
  --env HCCL_IF_IP=192.168.0.21 \
  --env GLOO_SOCKET_IFNAME=enp67s0f0 \
  --env TP_SOCKET_IFNAME=enp67s0f0 \
  --env HCCL_SOCKET_IFNAME=enp67s0f0 \
  --env RAY_EXPERIMENTAL_NOSET_ASCEND_RT_VISIBLE_DEVICES=1 \
  --env VLLM_USE_V1=0 \
  --env ASCEND_RT_VISIBLE_DEVICES=0,1,2,3,4,5,6,7 \
  quay.io/ascend/vllm-ascend:v0.8.4rc2-openeuler bash -ic 'exec ray start --address=192.168.0.15:6379 --num-gpus=8 --node-ip-address=192.168.0.21 --disable-usage-stats --block'
