"""BarcodeBERT as a masked auto-encoder: the encoder sees the visible k-mers only, a light decoder fills the rest.

Half the k-mers hidden is half the work of the encoder, and no `[MASK]` is ever shown to it, so that training and use
look alike (He et al. 2022, arXiv 2111.06377; for barcodes Safari et al. 2025, arXiv 2502.18405). What remains after
training is `.bert`, an encoder like any other.
"""

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.masking_utils import create_bidirectional_mask
from transformers.models.bert.modeling_bert import BertLayer
from transformers.utils.generic import can_return_tuple

from .configuration_barcodebert import BarcodeBertConfig
from .heads_barcodebert import IGNORED, BarcodeBertMaskedLMOutput, MaskedHead, chosen_rows, packed_positions
from .modeling_barcodebert import BarcodeBertModel, BarcodeBertPreTrainedModel


class BarcodeBertDecoder(nn.Module):
    """A few layers of BERT over all positions, at the hidden ones of which stands one learned vector.

    Args:
        config: its `decoder_layers` counts the layers; their width is the encoder's.
    """

    def __init__(self, config: BarcodeBertConfig) -> None:
        super().__init__()
        self.config = config
        self.mask_embedding = nn.Parameter(torch.zeros(config.hidden_size))
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layer = nn.ModuleList([BertLayer(config, layer_idx=index) for index in range(config.decoder_layers)])

    def forward(self, hidden: Tensor, visible: Tensor, length: int, attention_mask: Tensor | None) -> Tensor:
        """Give hidden states of all positions.

        Args:
            hidden: `(batch, width, hidden_size)`, what the encoder made of the visible positions.
            visible: `(batch, width)`, where they stood; -1 for none.
            length: positions of the whole rows.
            attention_mask: `(batch, length)`, 1 where there is a token; None for everywhere.

        Returns:
            `(batch, length, hidden_size)`.
        """
        slots = self.mask_embedding.to(hidden.dtype).repeat(len(hidden), length + 1, 1)
        place = (
            torch.where(visible < 0, length, visible).unsqueeze(-1).expand_as(hidden)
        )  # the last slot takes padding
        slots = slots.scatter(1, place, hidden)[:, :length]
        embedded: Tensor = self.LayerNorm(slots + self.position_embeddings.weight[:length])
        mask = create_bidirectional_mask(config=self.config, inputs_embeds=embedded, attention_mask=attention_mask)
        for layer in self.layer:
            embedded = layer(embedded, mask)
        return embedded


class BarcodeBertForMaskedAutoencoding(MaskedHead, BarcodeBertPreTrainedModel):
    """The encoder `.bert`, its decoder, and the head over k-mers; for training only, `save_stock` keeps the encoder.

    Examples:
        >>> config = BarcodeBertConfig(kmer_size=2, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
        >>> model = BarcodeBertForMaskedAutoencoding(config)
        >>> masked = torch.tensor([[False, True, False], [True, False, False]])
        >>> model(torch.tensor([[3, 4, 5], [6, 7, 8]]), masked=masked).loss.shape
        torch.Size([])
    """

    def __init__(self, config: BarcodeBertConfig) -> None:
        super().__init__(config)
        self.bert = BarcodeBertModel(config)
        self.decoder = BarcodeBertDecoder(config)
        self.add_head(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, BarcodeBertDecoder):
            init.normal_(module.mask_embedding, std=self.config.initializer_range)

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        masked: Tensor | None = None,
        visible: Tensor | None = None,
        predicted: Tensor | None = None,
        visible_padded: bool = True,
        num_items_in_batch: Tensor | int | None = None,
    ) -> BarcodeBertMaskedLMOutput:
        """Fill in what is hidden; the loss counts the hidden positions that hold a known k-mer.

        Args:
            input_ids: `(batch, length)`, the true ids everywhere.
            attention_mask: `(batch, length)`, 1 where there is a token; None for everywhere.
            masked: `(batch, length)`, bool, True where the encoder may not look.
            visible: `(batch, width)`, the positions it sees, as `packed_positions` gives them. Without it they are
                looked up, which is a shape that depends on values: a compiled model then packs nothing.
            predicted: `(batch, width)`, the hidden positions likewise.
            visible_padded: False promises that no -1 is in `visible` (every row shows equally many), and spares the
                encoder an attention mask.
            num_items_in_batch: by what the sum of the losses is divided; None: the positions that count in this batch.

        Raises:
            ValueError: `masked` is missing.
        """
        if masked is None:
            raise ValueError("a masked auto-encoder needs masked=, True where the encoder may not look")
        masked = masked.bool()
        if visible is None:
            seen = ~masked if attention_mask is None else attention_mask.bool() & ~masked
            visible = packed_positions(seen)
            visible_padded = True
        hidden = self.encode(input_ids, visible, visible_padded)
        length = input_ids.shape[1]
        filled = self.decoder(hidden, visible, length, attention_mask)
        labels = input_ids.masked_fill(~masked if attention_mask is None else ~masked | (attention_mask == 0), IGNORED)
        index, wanted = chosen_rows(labels, predicted)
        at = filled.flatten(0, 1)
        loss, correct = self.score(
            at if index is None else at.index_select(0, index), wanted, None, num_items_in_batch
        )
        return BarcodeBertMaskedLMOutput(loss=loss, correct=correct)

    def encode(self, input_ids: Tensor, visible: Tensor, padded: bool = True) -> Tensor:
        """Give the encoder's hidden states of the visible positions, `(batch, width, hidden_size)`, and of no others.

        The parts of `BertModel` are called one by one: given the positions, its flash attention would take gaps
        between them for the ends of packed sequences.
        """
        positions = visible.clamp(min=0)
        embedded = self.bert.embeddings(input_ids=input_ids.gather(1, positions), position_ids=positions)
        mask = None
        if padded:
            mask = create_bidirectional_mask(
                config=self.config, inputs_embeds=embedded, attention_mask=(visible >= 0).long()
            )
        hidden: Tensor = self.bert.encoder(embedded, attention_mask=mask).last_hidden_state
        return hidden
