# node1: 10.77.0.11, x86_64, 8 x 910B2; everything as root
# host_baseline: what the vendor's installers look for; the account needs a shell that lets it in
#   copy {ROOT}/.lab/apt/archive-key.asc from the machine that you type this on to /etc/apt/keyrings/provision-lab.asc
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do [ -f "$file" ] && mv "$file" "$file.provision-disabled"; done
echo 'deb [signed-by=/etc/apt/keyrings/provision-lab.asc] http://10.77.0.2/apt bookworm main' > /etc/apt/sources.list.d/provision-lab.list
apt-get update && apt-get install -y gcc make dkms pciutils net-tools "linux-headers-$(uname -r)"
#   with RPM packages: dnf install -y gcc make dkms pciutils net-tools "kernel-devel-$(uname -r)"
getent group HwHiAiUser || groupadd --gid 1000 HwHiAiUser
id HwHiAiUser || useradd --create-home --uid 1000 --gid HwHiAiUser --shell /bin/bash HwHiAiUser
lspci -Dn -d 19e5:d802   # 8 lines
# docker_engine: 20.10.0 or newer
apt-get install -y docker.io
#   with RPM packages: dnf install -y docker-engine, or moby, or docker
#   where /etc/docker/daemon.json exists already, merge these keys into it by hand
[ -e /etc/docker/daemon.json ] || install -D -m 0600 /dev/stdin /etc/docker/daemon.json <<< '{"insecure-registries": ["10.77.0.2:5000"]}'
systemctl restart docker
docker version
# npu_driver: 25.5.1; exit code 0: done, 2: done after a reboot, anything else: failed
mkdir -p /var/cache/provision && curl -fL -o /var/cache/provision/Ascend-hdk-910b-npu-driver_25.5.1_linux-x86-64.run http://10.77.0.2/Ascend-hdk-910b-npu-driver_25.5.1_linux-x86-64.run
echo 'a533688e67572beaf4c4e76b06dc03a1dd5338498d81faacdcaba90d7b66a850  /var/cache/provision/Ascend-hdk-910b-npu-driver_25.5.1_linux-x86-64.run' | sha256sum --check
timeout 300 bash /var/cache/provision/Ascend-hdk-910b-npu-driver_25.5.1_linux-x86-64.run --nox11 --full --quiet --install-for-all < /dev/null
#   over a working driver: firmware first, both with: --nox11 --upgrade --quiet in place of the other options
# npu_firmware: 7.8.0.6.201
mkdir -p /var/cache/provision && curl -fL -o /var/cache/provision/Ascend-hdk-910b-npu-firmware_7.8.0.6.201.run http://10.77.0.2/Ascend-hdk-910b-npu-firmware_7.8.0.6.201.run
echo '20a2ef891fc260211cbd1a92f5da59c6255cf5dbdfd25d1904d197209f447acb  /var/cache/provision/Ascend-hdk-910b-npu-firmware_7.8.0.6.201.run' | sha256sum --check
timeout 300 bash /var/cache/provision/Ascend-hdk-910b-npu-firmware_7.8.0.6.201.run --nox11 --full --quiet < /dev/null
# one reboot for both; then wait until every card answers
systemctl reboot
/usr/local/Ascend/driver/tools/upgrade-tool --device_index -1 --boot_status   # boot status:16, 8 times
npu-smi info   # 8 chips, Health OK
cat /usr/local/Ascend/driver/version.info /usr/local/Ascend/firmware/version.info
ls -l /dev/davinci0 /dev/davinci1 /dev/davinci2 /dev/davinci3 /dev/davinci4 /dev/davinci5 /dev/davinci6 /dev/davinci7 /dev/davinci_manager /dev/devmm_svm /dev/hisi_hdc
# ascend_docker_runtime: 26.1.0, into /usr/local/Ascend/Ascend-Docker-Runtime
mkdir -p /var/cache/provision && curl -fL -o /var/cache/provision/Ascend-docker-runtime_26.1.0_linux-x86_64.run http://10.77.0.2/Ascend-docker-runtime_26.1.0_linux-x86_64.run
echo '69442a5f38f7e44987de109d28a7b83c3191207c086911ae7b2144ecb30bb236  /var/cache/provision/Ascend-docker-runtime_26.1.0_linux-x86_64.run' | sha256sum --check
#   it asks for its licence, which the site accepts: no answer would loop for ever
printf 'Y\n' | timeout 120 bash /var/cache/provision/Ascend-docker-runtime_26.1.0_linux-x86_64.run --install
systemctl daemon-reload && systemctl restart docker
docker info | grep -i 'default runtime'
# container_image: from the first source that has it; the name is the same on every host
docker pull --platform linux/amd64 10.77.0.2:5000/ascend/vllm-ascend:v0.23.0 && docker tag 10.77.0.2:5000/ascend/vllm-ascend:v0.23.0 quay.io/ascend/vllm-ascend:v0.23.0
#   or: docker pull --platform linux/amd64 quay.io/ascend/vllm-ascend:v0.23.0
docker image inspect quay.io/ascend/vllm-ascend:v0.23.0 | grep sha256
# container_image: loaded from an archive; under another name than its own with docker tag
curl -fL -o image.tar http://10.77.0.2/lab-large-v1.tar
echo 'f87d7ed71e81636f009251c0f920edaf721f2a617ab245433c750352fe3e29ed  image.tar' | sha256sum -c && docker load -i image.tar
docker image inspect quay.io/provision-lab/large:v1 | grep sha256
# model_store: lab-tiny-qwen2, on every host of its services under the same path
mkdir -p /data/models/tiny-qwen2
docker run \
  --rm \
  --network host \
  --mount type=bind,source=/data/models/tiny-qwen2,target=/model \
  --env MODELSCOPE_ENDPOINT=http://10.77.0.2:8080 \
  --env MODELSCOPE_DOMAIN=10.77.0.2:8080 \
  quay.io/ascend/vllm-ascend:v0.23.0 modelscope download --model provision-lab/tiny-qwen2 --revision 7638d55bac17746fead22b298ba7f51bf3eff0b3 --local_dir /model
# model_store: lab-wide-qwen2, on every host of its services under the same path
mkdir -p /data/models/wide-qwen2
docker run \
  --rm \
  --network host \
  --mount type=bind,source=/data/models/wide-qwen2,target=/model \
  --env HF_ENDPOINT=http://10.77.0.2:8080 \
  --env HF_HUB_DISABLE_XET=1 \
  quay.io/ascend/vllm-ascend:v0.23.0 hf download provision-lab/wide-qwen2 --revision main --local-dir /model
# ray_cluster chat: the head, before the others; systemd keeps it running as provision-ray-chat.service
#   inside runs: ray start --head --port=6379 --node-ip-address=10.77.0.11 --include-dashboard=false --disable-usage-stats --block
docker run \
  --detach \
  --label provision.service=chat \
  --label provision.digest=7fedcd839b0b0f0e \
  --rm \
  --init \
  --pull never \
  --name provision-ray-chat \
  --network host \
  --shm-size 1g \
  --log-driver json-file \
  --log-opt max-size=50m \
  --log-opt max-file=3 \
  --device /dev/davinci0 \
  --device /dev/davinci_manager \
  --device /dev/devmm_svm \
  --device /dev/hisi_hdc \
  --mount type=bind,src=/usr/local/dcmi,dst=/usr/local/dcmi,readonly \
  --mount type=bind,src=/usr/local/Ascend/driver/lib64,dst=/usr/local/Ascend/driver/lib64,readonly \
  --mount type=bind,src=/usr/local/bin/npu-smi,dst=/usr/local/bin/npu-smi,readonly \
  --mount type=bind,src=/usr/local/Ascend/driver/version.info,dst=/usr/local/Ascend/driver/version.info,readonly \
  --mount type=bind,src=/etc/ascend_install.info,dst=/etc/ascend_install.info,readonly \
  --mount type=bind,src=/data/models/tiny-qwen2,dst=/data/models/tiny-qwen2,readonly \
  --env VLLM_HOST_IP=10.77.0.11 \
  --env HCCL_IF_IP=10.77.0.11 \
  --env GLOO_SOCKET_IFNAME=eth0 \
  --env TP_SOCKET_IFNAME=eth0 \
  --env HCCL_SOCKET_IFNAME=eth0 \
  --env RAY_EXPERIMENTAL_NOSET_ASCEND_RT_VISIBLE_DEVICES=1 \
  --env ASCEND_RT_VISIBLE_DEVICES=0 \
  quay.io/ascend/vllm-ascend:v0.23.0 bash -ic 'exec ray start --head --port=6379 --node-ip-address=10.77.0.11 --include-dashboard=false --disable-usage-stats --block'
docker exec provision-ray-chat ray status   # 2.0 NPU when all 2 hosts are in
# inference_service chat: when Ray is up on all hosts; systemd keeps it running as provision-chat.service
#   inside runs: vllm serve /data/models/tiny-qwen2 --host 0.0.0.0 --port 8006 --served-model-name tiny-qwen2 --tensor-parallel-size 2 --distributed-executor-backend ray --max-model-len 256 --enforce-eager
docker exec \
  --detach \
  provision-ray-chat bash -ic 'echo $$ > /run/provision-chat.pid; exec vllm serve /data/models/tiny-qwen2 --host 0.0.0.0 --port 8006 --served-model-name tiny-qwen2 --tensor-parallel-size 2 --distributed-executor-backend ray --max-model-len 256 --enforce-eager'
timeout 900 sh -c 'until curl -fsS http://10.77.0.11:8006/health; do sleep 5; done'
curl -fsS http://10.77.0.11:8006/v1/models   # the name is exactly tiny-qwen2
curl -fsS http://10.77.0.11:8006/v1/chat/completions -H 'Content-Type: application/json' -d '{"model": "tiny-qwen2", "messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 64}'
#   to stop it: docker exec provision-ray-chat sh -c 'pid=$(cat /run/provision-chat.pid 2>/dev/null) || exit 0; kill -TERM $pid 2>/dev/null || kill -TERM -$pid 2>/dev/null || exit 0; for second in $(seq 60); do kill -0 -$pid 2>/dev/null || exit 0; sleep 1; done; kill -KILL -$pid 2>/dev/null; exit 0'
