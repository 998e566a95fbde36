"""The layers torch does not have do what they are named for, and their gradients too."""

import pytest
import torch

from mapmaker.models.layers import GLU


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gated_unit_has_the_gradient_of_a_times_sigmoid_b(layout: torch.memory_format) -> None:
    """Our shorter backward pass gives what autograd gives, in either layout."""
    torch.manual_seed(0)
    x = torch.randn(2, 6, 5, 4).contiguous(memory_format=layout).requires_grad_()
    a, b = x.chunk(2, dim=1)
    weights = torch.randn(2, 3, 5, 4)
    (wanted,) = torch.autograd.grad((a * torch.sigmoid(b) * weights).sum(), x)

    out = GLU()(x)
    (grad,) = torch.autograd.grad((out * weights).sum(), x)

    assert torch.allclose(grad, wanted, atol=1e-6) and grad.is_contiguous(memory_format=layout)
    with torch.no_grad():
        assert torch.equal(GLU()(x), out)
